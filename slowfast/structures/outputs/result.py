"""Result: what every evaluation gives back, whatever it measured."""

from typing import Any, NamedTuple, Protocol

import numpy as np


class Headline(NamedTuple):
    """The one number that a result is known by, which also chooses the best checkpoint: higher is better.

    name: as it is written, "mAP" or "top1"; value: a fraction
    """

    name: str
    value: float


class Ranked(NamedTuple):
    """What a curve of precision against recall is of.

    scores: (n,) of what was found; hits: (n,) bool, whether each is right; to_find: how many there were to be found
    """

    scores: np.ndarray
    hits: np.ndarray
    to_find: int


class Result(Protocol):
    """metrics.json, the log and the best checkpoint are written from these four, by `engine/record/results.py` alone."""

    @property
    def headline(self) -> Headline: ...

    def summary(self) -> dict[str, float | None]:
        """Named numbers, fractions; "/" in a name marks a part, such as "AP/stand". None: there is nothing to measure."""

    def report(self) -> dict[str, Any]:
        """All there is to know, ready for JSON."""

    def table(self) -> str:
        """The same for people: several lines of text."""
