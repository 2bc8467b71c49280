"""Charades as PySlowFast lists it: one line per extracted frame with the actions that go on, and clips of such frames."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from slowfast.datasets.frames import FRAME_LIST_HEADER, FrameFolders
from slowfast.datasets.pixels import ClipReadError
from slowfast.datasets.video_lists import LabelledVideos
from slowfast.datasets.video_views import VideoViewsSample, ViewShape, crop_views
from slowfast.structures.clip import UnreadableClip


def read_charades(path: str | Path, *, num_classes: int) -> LabelledVideos:
    """The videos of a frame list; labels (V, C) bool: a video has each action that any of its frames has.

    Columns: original_vido_id video_id frame_id path labels; labels are class indices between commas, in quotes or not,
    and may be empty. Raises FileNotFoundError, or ValueError naming file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (DATA.PATH_TO_DATA_DIR)")
    actions: dict[str, set[str]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=" ")
        header = " ".join(next(rows, []))
        if header != FRAME_LIST_HEADER:
            raise ValueError(f"{path}:1: a frame list starts with {FRAME_LIST_HEADER!r}, found {header[:80]!r}")
        for number, row in enumerate(rows, start=2):
            if not row:
                continue
            if len(row) != 5:
                raise ValueError(f"{path}:{number}: expected {FRAME_LIST_HEADER!r}, found {' '.join(row)[:80]!r}")
            of_video = actions.setdefault(row[0], set())
            if row[4] not in of_video:
                _check_labels(row[4], num_classes, f"{path}:{number}")
                of_video.add(row[4])
    if not actions:
        raise ValueError(f"{path}: lists no video")
    hot = np.zeros((len(actions), num_classes), dtype=bool)
    for row, texts in zip(hot, actions.values(), strict=True):
        row[[int(word) for text in texts for word in text.split(",") if word]] = True
    return LabelledVideos(tuple(actions), hot, tuple(str(index) for index in range(num_classes)))


def _check_labels(text: str, num_classes: int, where: str) -> None:
    for word in filter(None, text.split(",")):
        if not word.isdecimal():
            raise ValueError(f"{where}: labels are class indices between commas, found {text[:80]!r}")
        if int(word) >= num_classes:
            raise ValueError(f"{where}: class {word} is not one of 0 to {num_classes - 1} (MODEL.NUM_CLASSES)")


class FrameViews(Dataset):
    """One item per video: all of its views from extracted frames. One that cannot be read is an UnreadableClip."""

    def __init__(self, videos: Sequence[str], frames: FrameFolders, *, shape: ViewShape, strict: bool = False) -> None:
        self.videos, self.frames, self.shape, self.strict = videos, frames, shape, strict

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> VideoViewsSample | UnreadableClip:
        video = self.videos[index]
        try:
            first, last = self.frames.span(video)
            numbers = first + self.shape.clip_positions(last - first + 1)
            used, place = np.unique(numbers, return_inverse=True)
            read = self.frames.read_frames(video, used, center=0)
        except ClipReadError as error:
            if self.strict:
                raise
            return UnreadableClip(video, 0, str(error))
        views = crop_views(read.frames, place.reshape(numbers.shape), self.shape)
        return VideoViewsSample(index, views, int((numbers > last).sum()))
