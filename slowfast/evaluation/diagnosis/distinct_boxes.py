"""The boxes of detection tables, each box of a key frame once, and which of them a row has. Numpy only.

A detector writes a row for each class of a box, one after another; so runs of equal boxes are found first, in pieces
that stay in the processor's cache, and only one row of each run is sorted.
"""

from collections.abc import Iterator

import numpy as np

from slowfast.structures.annotations.box_table import BoxTable
from slowfast.utils.ava.tables import concatenate_tables

PIECE_ROWS = 1 << 18


def pieces(count: int) -> Iterator[slice]:
    """0..count in slices of PIECE_ROWS: whatever is computed from them stays small."""
    for start in range(0, count, PIECE_ROWS):
        yield slice(start, min(start + PIECE_ROWS, count))


def distinct_boxes(*tables: BoxTable) -> tuple[list[np.ndarray], BoxTable]:
    """([(R,) int32 number of each row's box] for each table, the D boxes as a table).

    Boxes are numbered by video, timestamp and place; label and score of the D rows are those of some row that has the
    box.
    """
    runs = [_starts_of_runs(table) for table in tables]
    starts = concatenate_tables([table.rows(np.flatnonzero(run)) for table, run in zip(tables, runs, strict=True)])
    key_frame = starts.key_frame
    order = np.lexsort((*starts.boxes.T[::-1], key_frame))
    key_frame, boxes = key_frame[order], starts.boxes[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(key_frame) != 0) | (boxes[1:] != boxes[:-1]).any(axis=1)
    number = np.empty(len(order), dtype=np.int32)
    number[order] = np.cumsum(new) - 1
    numbers, first = [], 0
    for run in runs:
        run_of_row = np.cumsum(run, dtype=np.int32)
        run_of_row += first - 1
        first += int(run.sum())
        numbers.append(number[run_of_row])
    return numbers, starts.rows(order[new])


def _starts_of_runs(table: BoxTable) -> np.ndarray:
    """(R,) bool: the row has another key frame or box than the row before it."""
    starts = np.ones(len(table), dtype=bool)
    for rows in pieces(len(table) - 1):
        here, next_ = slice(rows.start, rows.stop), slice(rows.start + 1, rows.stop + 1)
        other = (table.boxes[next_] != table.boxes[here]).any(axis=1)
        other |= table.timestamp[next_] != table.timestamp[here]
        starts[next_] = other | (table.video[next_] != table.video[here])
    return starts
