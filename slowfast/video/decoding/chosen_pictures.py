"""The pictures of a clip, stacked as they come: a frame that is held makes the decoder take new memory for the next."""

from __future__ import annotations

import numpy as np


class ChosenPictures:
    """Distinct pictures of one size by their position in the video; `most` of them at most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._stack: np.ndarray | None = None  # (most, H, W, C)
        self._rows: dict[int, int] = {}

    def __contains__(self, index: int) -> bool:
        return index in self._rows

    def add(self, index: int, picture: np.ndarray) -> None:
        """(H, W, C) is copied."""
        if self._stack is None:
            self._stack = np.empty((self._most, *picture.shape), picture.dtype)
        row = self._rows.setdefault(index, len(self._rows))
        self._stack[row] = picture

    def at(self, indices: np.ndarray) -> np.ndarray:
        """(T,) positions, repeats allowed -> (T, H, W, C); without a copy where they are as they came."""
        assert self._stack is not None  # a clip has a frame
        rows = np.array([self._rows[index] for index in indices.tolist()])
        as_they_came = np.array_equal(rows, np.arange(self._most))
        return self._stack if as_they_came else self._stack[rows]
