"""Charades as PySlowFast lists it: one line per extracted frame with the actions that go on."""

import csv
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from slowfast.datasets.annotations.videos.class_names import numbers_as_names
from slowfast.structures.annotations.labelled_videos import FrameLabels, LabelledVideos
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import open_text
from slowfast.video.pictures.frames import FRAME_LIST_HEADER


@dataclass
class _Frames:
    """The frames of a video in the order of the list: their ids, and the row of the table of label sets of each."""

    ids: array = field(default_factory=lambda: array("i"))
    sets: array = field(default_factory=lambda: array("i"))


@names_its_file()
def read_charades(
    path: str | Path, *, num_classes: int, by_frame: bool = False, class_names: Sequence[str] | None = None
) -> LabelledVideos:
    """The videos of a frame list; labels (V, C) bool: a video has each action that any of its frames has.

    Columns: original_vido_id video_id frame_id path labels; labels are class indices between commas, in quotes or not,
    and may be empty. by_frame: keep what each frame shows, too, so that a clip has the labels of its own frames.
    Raises FileNotFoundError, or ValueError naming file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (DATA.PATH_TO_DATA_DIR)")
    sets: dict[str, int] = {}  # text of labels -> row of the table
    videos: dict[str, _Frames] = {}
    with open_text(path) as file:
        rows = csv.reader(file, delimiter=" ")
        header = " ".join(next(rows, []))
        if header != FRAME_LIST_HEADER:
            raise ValueError(f"{path}:1: a frame list starts with {FRAME_LIST_HEADER!r}, found {header[:80]!r}")
        for number, row in enumerate(rows, start=2):
            if not row:
                continue
            if len(row) != 5 or not row[2].isdecimal():
                raise ValueError(f"{path}:{number}: expected {FRAME_LIST_HEADER!r}, found {' '.join(row)[:80]!r}")
            if row[4] not in sets:
                _check_labels(row[4], num_classes, f"{path}:{number}")
                sets[row[4]] = len(sets)
            frames = videos.setdefault(row[0], _Frames())
            frames.ids.append(int(row[2]))
            frames.sets.append(sets[row[4]])
    if not videos:
        raise ValueError(f"{path}: lists no video (DATA.PATH_TO_DATA_DIR)")
    table = np.zeros((len(sets), num_classes), dtype=bool)
    for marks, text in zip(table, sets, strict=True):
        marks[[int(word) for word in text.split(",") if word]] = True
    hot = np.stack([table[np.unique(frames.sets)].any(axis=0) for frames in videos.values()])
    names = tuple(class_names) if class_names is not None else numbers_as_names(num_classes)
    return LabelledVideos(tuple(videos), hot, names, _runs(list(videos.values()), table) if by_frame else None)


def _runs(videos: list[_Frames], table: np.ndarray) -> FrameLabels:
    """Frames with the same labels in a row, by frame id, taken together.

    Positions count from a video's first id, as those of FrameFolders: a lost frame does not shift the labels after it.
    """
    starts, sets, offsets = [], [], [0]
    for frames in videos:
        ids = np.array(frames.ids, dtype=np.int32)
        order = np.argsort(ids, kind="stable")
        rows = np.array(frames.sets, dtype=np.int32)[order]
        first = np.flatnonzero(np.diff(rows, prepend=-1))
        starts.append(ids[order][first] - ids.min())
        sets.append(rows[first])
        offsets.append(offsets[-1] + len(first))
    return FrameLabels(np.array(offsets, dtype=np.int64), np.concatenate(starts), np.concatenate(sets), table)


def _check_labels(text: str, num_classes: int, where: str) -> None:
    for word in filter(None, text.split(",")):
        if not word.isdecimal():
            raise ValueError(f"{where}: labels are class indices between commas, found {text[:80]!r}")
        if int(word) >= num_classes:
            raise ValueError(f"{where}: class {word} is not one of 0 to {num_classes - 1} (MODEL.NUM_CLASSES)")
