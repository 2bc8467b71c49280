"""CheckedSplit: the rows of one split as they were read, with the line of each, for checks that look at all of them."""

from dataclasses import dataclass, replace

import numpy as np

from slowfast.datasets.annotations.people.key_frames import (
    KeyFrames,
    box_rules,
    build_key_frames,
    has_people,
)
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable
from slowfast.structures.annotations.label_map import LabelMap


@dataclass(frozen=True)
class CheckedSplit:
    """R rows of people on key frames.

    name:       "train" or "test"
    table:      the rows that could be read
    files:      the annotation files
    file, line: (R,) index into `files`, and line (0: not known)
    label_map, eval_label_map: classes of the model and of the evaluation; None where none could be read
    exclusions: (video, timestamp) that count for nothing
    valid:      first and last second that count; None: all
    parted:     names of a class that was chosen and of the one that a mirrored clip shows instead, which was not
    """

    name: str
    table: BoxTable
    files: tuple[str, ...]
    file: np.ndarray
    line: np.ndarray
    label_map: LabelMap | None
    eval_label_map: LabelMap | None = None
    exclusions: frozenset[tuple[str, float]] = frozenset()
    valid: tuple[float, float] | None = None
    unit: str = "second"
    parted: tuple[tuple[str, str], ...] = ()

    def place(self, row: int) -> dict:
        """{"file": ..., "line": ...} of a row."""
        return {"file": self.files[self.file[row]], "line": int(self.line[row])}

    def moment(self, row: int) -> str:
        """The key frame of a row, in words."""
        return f"video {self.table.videos[self.table.video[row]]!r}, {self.unit} {self.table.timestamp[row]}"

    def usable(self) -> KeyFrames | None:
        """The key frames that are left without the rows that are wrong; None where there are none, or no classes."""
        if self.label_map is None or not len(self.table):
            return None
        bad = np.zeros(len(self.table), dtype=bool)
        for _, wrong, _ in box_rules(self.table):
            bad |= wrong
        key_frames, _ = build_key_frames(
            self.table.rows(~bad),
            self.label_map,
            exclusions=self.exclusions,
            valid_seconds=self.valid,
            ignore_unknown=True,
        )
        return key_frames if len(key_frames) else None

    def with_rows(self, keep: np.ndarray) -> "CheckedSplit":
        return replace(self, table=self.table.rows(keep), file=self.file[keep], line=self.line[keep])


def people_of(table: BoxTable) -> np.ndarray:
    """(P,) rows: one of each person, the first with the same key frame and box."""
    rows = np.flatnonzero(has_people(table))
    columns = np.column_stack([table.key_frame[rows], table.boxes[rows].view(np.int64).reshape(-1, 4)])
    _, first = np.unique(columns, axis=0, return_index=True)
    return np.sort(rows[first])


def rows_with_action(table: BoxTable) -> np.ndarray:
    """(R,) bool."""
    return table.label != NO_LABEL
