"""BestRows: the limit of the official AVA protocol, the best rows of each key frame. Numpy only.

The score that decides, the `cap`-th best of a key frame, comes from one sort of 64-bit integers, key frame above and
score below: numpy sorts those in about 5 ns each, and the order of rows in the table does not matter.
"""

import numpy as np

from slowfast.structures.annotations.box_table import BoxTable

SCORE_BITS = np.uint64(32)
SIGN = np.uint32(1 << 31)


def _ranks(scores: np.ndarray) -> np.ndarray:
    """(n,) finite scores -> (n,) uint32 that order as the scores rounded to float32 do; 0.0 and -0.0 are equal."""
    with np.errstate(over="ignore"):
        bits = (scores.astype(np.float32) + np.float32(0)).view(np.uint32)
    return np.where(bits & SIGN, ~bits, bits | SIGN)


class BestRows:
    """Show every row to `add`, call `settle` once, then ask for the same rows again with `choose`.

    `choose` lets rows wait that tie at the limit once scores are rounded to float32; `decide_ties` settles them by
    score, then higher (x1, y1, x2, y2), then lower class id. So the choice does not depend on the order of rows.

    num_rows: at most this many rows will be added; 8 bytes each until `settle`
    """

    def __init__(self, *, cap: int, num_frames: int, num_rows: int) -> None:
        self._cap = cap
        self._keys = np.empty(num_rows, dtype=np.uint64)
        self._num_keys = 0
        self._count = np.zeros(num_frames, dtype=np.int64)

    def add(self, frame: np.ndarray, scores: np.ndarray) -> None:
        """frame (n,) key-frame numbers, scores (n,) finite."""
        keys = self._keys[self._num_keys : self._num_keys + len(frame)]
        keys[:] = frame
        keys <<= SCORE_BITS
        keys |= _ranks(scores)
        self._num_keys += len(frame)
        self._count += np.bincount(frame, minlength=len(self._count))

    def settle(self) -> None:
        """Find the limit of each key frame: rows above it stay, rows below it go."""
        keys, self._keys = self._keys[: self._num_keys], np.empty(0, dtype=np.uint64)
        keys.sort()
        end = np.cumsum(self._count)
        full = np.flatnonzero(self._count > self._cap)
        last_in = keys[end[full] - self._cap]
        self._limit = np.zeros(len(end), dtype=np.uint32)
        self._limit[full] = last_in.astype(np.uint32)
        # Where the first row outside scores as much as the last one inside, some of the rows of that score must go.
        self._is_tied = np.zeros(len(end), dtype=bool)
        self._is_tied[full] = keys[end[full] - self._cap - 1] == last_in
        self._places = np.zeros(len(end), dtype=np.int64)
        self._places[full] = self._cap - (end[full] - np.searchsorted(keys, last_in, side="right"))

    def choose(self, frame: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows of `add` -> two (n,) masks: those that stay, and those that wait for `decide_ties`."""
        rank, limit = _ranks(scores), self._limit.take(frame)
        waits = (rank == limit) & self._is_tied.take(frame)
        return (rank >= limit) & ~waits, waits

    def decide_ties(self, table: BoxTable, rows: np.ndarray, frame: np.ndarray) -> np.ndarray:
        """Which of the waiting rows stay: rows (w,) of the detections and their key frames -> (w,) bool."""
        keys = (table.label[rows], *-table.boxes[rows].T[::-1], -table.scores[rows], frame)
        order = np.lexsort(keys)
        ordered = frame[order]
        place = np.arange(len(rows)) - np.searchsorted(ordered, ordered)
        stays = np.empty(len(rows), dtype=bool)
        stays[order] = place < self._places[ordered]
        return stays
