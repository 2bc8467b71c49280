"""Boxes of a person detector for the two-stage baseline, in the layouts that PySlowFast reads.

video,timestamp,x1,y1,x2,y2,label,score    label: an action id; empty or -1 for a person without one

A first line of column names is skipped.
"""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from slowfast.datasets.annotations.people.annotated_set import AnnotatedSet
from slowfast.datasets.annotations.people.key_frames import KeyFrames, build_key_frames
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable, exact_times
from slowfast.utils.ava.tables import concatenate_tables, is_header, refuse_person_ids
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import open_text

_SHOWN = 5


@names_its_file()
def read_proposals(path: str | Path, *, min_score: float) -> BoxTable:
    """The boxes that score at least `min_score`, clipped to the frame; boxes outside it are dropped.

    Raises FileNotFoundError, or ValueError naming the file and the first lines that cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (TRAIN_PREDICT_BOX_LISTS, TEST_PREDICT_BOX_LISTS)")
    rows, problems = [], []
    with open_text(path) as file:
        for number, columns in enumerate(csv.reader(file), start=1):
            if not columns or (number == 1 and is_header(columns)):
                continue
            try:
                rows.append(_parse(columns))
            except ValueError as error:
                problems.append(f"  line {number}: {error}")
    if problems:
        more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise ValueError(f"{path}: {len(problems)} malformed lines:\n" + "\n".join(problems[:_SHOWN]) + more)
    refuse_person_ids(np.array([row[4] for row in rows]), path)
    rows = [row for row in rows if row[4] >= min_score and row[2][2] > row[2][0] and row[2][3] > row[2][1]]
    names = {name: index for index, name in enumerate(dict.fromkeys(row[0] for row in rows))}
    return BoxTable(
        videos=tuple(names),
        video=np.array([names[row[0]] for row in rows], dtype=np.int32),
        timestamp=exact_times(np.array([row[1] for row in rows])),
        boxes=np.array([row[2] for row in rows], dtype=np.float64).reshape(-1, 4),
        label=np.array([row[3] for row in rows], dtype=np.int32),
        score=np.array([row[4] for row in rows], dtype=np.float64),
    )


def _parse(columns: list[str]) -> tuple[str, float, list[float], int, float]:
    if len(columns) != 8:
        raise ValueError(f"expected 8 columns (video,timestamp,x1,y1,x2,y2,label,score), found {len(columns)}")
    video, timestamp, *corners, label, score = columns
    numbers = [float(text) for text in (timestamp, *corners, score)]
    if not np.isfinite(numbers).all():
        raise ValueError(f"a number is not finite in {','.join(columns)}")
    if max(map(abs, numbers[1:5])) > 2:
        raise ValueError(f"box {numbers[1:5]} is in pixels; boxes are x1,y1,x2,y2 as fractions of the frame")
    box = [min(max(value, 0.0), 1.0) for value in numbers[1:5]]
    return video, numbers[0], box, int(label) if label not in ("", "-1") else NO_LABEL, numbers[5]


def with_proposals(
    annotated: AnnotatedSet, files: Sequence[Path], *, min_score: float, training: bool, section: str = "AVA"
) -> AnnotatedSet:
    """The split with other boxes to classify on the same key frames; what is evaluated against stays the same.

    training: the annotated people and the detected ones, with the labels of the file; else the detected ones alone
    section:  of the config whose DETECTION_SCORE_THRESH `min_score` is, for messages
    """
    read = [read_proposals(path, min_score=min_score) for path in files]
    wanted = _listing(annotated.key_frames)
    tables = [replace(table, score=None) for table in read]
    if training:
        tables = [annotated.groundtruth, *tables]
    else:
        tables = [replace(table, label=np.full_like(table.label, NO_LABEL)) for table in tables]
    source = ", ".join(map(str, files))
    if not any(len(table.on(annotated.key_frames)) for table in read):
        raise ValueError(
            f"{source}: no box that scores at least {min_score:g} ({section}.DETECTION_SCORE_THRESH) lies on any of the "
            f"{len(annotated.key_frames)} key frames; of the whole file {sum(map(len, read))} score as much. Is it the "
            "file of another split?"
        )
    people = concatenate_tables([wanted, *(table.on(annotated.key_frames) for table in tables)])
    key_frames, _ = build_key_frames(people, annotated.label_map, ignore_unknown=True, source=source)
    counts = np.diff(key_frames.first_person)
    note = (
        f"{source}: {sum(map(len, read))} rows score at least {min_score:g}; {len(key_frames.boxes)} boxes to classify "
        f"on {len(key_frames)} key frames, {int((counts == 0).sum())} of them without a box"
    )
    return replace(annotated, key_frames=key_frames, notes=(*annotated.notes, note))


def _listing(key_frames: KeyFrames) -> BoxTable:
    """Rows that only list the key frames, without a person."""
    count = len(key_frames)
    nowhere, nothing = np.full((count, 4), np.nan), np.full(count, NO_LABEL, dtype=np.int32)
    return BoxTable(key_frames.videos, key_frames.video, key_frames.timestamp, nowhere, nothing)
