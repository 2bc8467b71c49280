"""Charades as PySlowFast lists it: one line per extracted frame with the actions that go on."""

import csv
from pathlib import Path

import numpy as np

from slowfast.structures.labelled_videos import LabelledVideos
from slowfast.video.frames import FRAME_LIST_HEADER


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
    for marks, texts in zip(hot, actions.values(), strict=True):
        marks[[int(word) for text in texts for word in text.split(",") if word]] = True
    return LabelledVideos(tuple(actions), hot, tuple(str(index) for index in range(num_classes)))


def _check_labels(text: str, num_classes: int, where: str) -> None:
    for word in filter(None, text.split(",")):
        if not word.isdecimal():
            raise ValueError(f"{where}: labels are class indices between commas, found {text[:80]!r}")
        if int(word) >= num_classes:
            raise ValueError(f"{where}: class {word} is not one of 0 to {num_classes - 1} (MODEL.NUM_CLASSES)")
