"""The rows that the limit of a key frame leaves, against sorting each key frame in plain Python."""

import numpy as np
import pytest

from slowfast.evaluation.frames.best_rows import BestRows
from slowfast.structures.annotations.box_table import BoxTable


def random_table(rng: np.random.Generator, rows: int, dtype: type, *, levels: int) -> tuple[np.ndarray, BoxTable]:
    """Key-frame numbers and detections with `levels` different scores and few different boxes, so that many tie."""
    table = BoxTable(
        ("v",),
        np.zeros(rows, dtype=np.int32),
        np.zeros(rows, dtype=np.int32),
        (rng.integers(0, 2, (rows, 4)) / 4).astype(dtype),
        rng.integers(1, 4, rows).astype(np.int32),
        ((rng.integers(0, levels, rows) - levels // 2) / levels).astype(dtype),
    )
    return rng.integers(0, 9, rows).astype(np.int32), table


def chosen(frame: np.ndarray, table: BoxTable, cap: int, batch: int) -> np.ndarray:
    """(R,) bool, as `frame_map` asks for it."""
    best = BestRows(cap=cap, num_frames=10, num_rows=len(frame))
    batches = [slice(start, start + batch) for start in range(0, len(frame), batch)]
    for rows in batches:
        best.add(frame[rows], table.score[rows])
    best.settle()
    stays, waits = (
        np.concatenate(masks) for masks in zip(*(best.choose(frame[r], table.score[r]) for r in batches), strict=True)
    )
    rows = np.flatnonzero(waits)
    assert not (stays & waits).any()
    stays[rows] = best.decide_ties(table, rows, frame[rows])
    return stays


def description(table: BoxTable, row: int) -> tuple:
    """What decides about a row, best first; equal rows are interchangeable."""
    return (-table.score[row], *(-table.boxes[row]), table.label[row])


@pytest.mark.parametrize("batch", [7, 1000])
@pytest.mark.parametrize("levels", [2, 9, 1 << 40])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cap", [1, 20, 50])
def test_the_best_rows_of_each_key_frame_stay(cap: int, dtype: type, levels: int, batch: int) -> None:
    rng = np.random.default_rng(cap)
    frame, table = random_table(rng, 300, dtype, levels=levels)
    stays = chosen(frame, table, cap, batch)
    for number in range(10):
        rows = np.flatnonzero(frame == number)
        expected = sorted(description(table, row) for row in rows)[:cap]
        assert sorted(description(table, row) for row in rows[stays[rows]]) == expected


def test_scores_that_float32_cannot_tell_apart_or_hold() -> None:
    scores = np.array([0.3, np.nextafter(0.3, 1), np.nextafter(0.3, 0), 1e300, 2e300, -1e300, 0.0, -0.0, -1.0])
    table = BoxTable(
        ("v",), *np.zeros((2, 9), dtype=np.int32), np.zeros((9, 4)), np.arange(9, 0, -1, dtype=np.int32), scores
    )
    frame = np.zeros(9, dtype=np.int32)
    kept = [set(np.flatnonzero(chosen(frame, table, cap, 4)).tolist()) for cap in range(1, 10)]
    # Of 0.0 and -0.0, equal scores, the lower label is better: row 7 before row 6.
    ranked = [4, 3, 1, 0, 2, 7, 6, 8, 5]
    assert kept == [set(ranked[:count]) for count in range(1, 10)]


def test_no_rows_at_all() -> None:
    best = BestRows(cap=3, num_frames=4, num_rows=5)
    best.settle()
    stays, waits = best.choose(np.zeros(0, dtype=np.int32), np.zeros(0))
    assert (len(stays), len(waits)) == (0, 0)
