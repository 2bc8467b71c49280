"""Progress with time left: a bar on a terminal, and elsewhere a line a minute. On the main process only."""

import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any

from tqdm import tqdm

from slowfast.utils.logging import get_logger
from slowfast.utils.processes.distributed import is_main

SECONDS_BETWEEN_LINES = 60.0


def progress(
    items: Iterable | None = None, *, what: str, total: int | None = None, unit: str = "it", lines: bool = True
) -> Any:
    """Wrap an iterable in a bar named `what`, or with `items` None get a bar to move on by hand (`with`, `update`).

    In a log file or a pipe no bar is drawn, and a line a minute shows that a long job lives. lines: False where the caller
    has lines of its own.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    bar = tqdm(
        items, desc=what, total=total, unit=unit, disable=None if is_main() else True, leave=False, dynamic_ncols=True
    )
    if not (bar.disable and lines and is_main()):
        return bar
    told = _Lines(what, total, unit)
    return told if items is None else told.over(items)


class _Lines:
    """The part of tqdm's interface that a job moves on by hand, as lines of the log."""

    def __init__(self, what: str, total: int | None, unit: str) -> None:
        self.what, self.total, self.unit, self.n = what, total, unit, 0
        self._start = self._last = time.monotonic()

    def update(self, n: int = 1) -> None:
        self.n += n
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        left = ""
        if self.total and self.n:
            left = f" of {self.total}, {duration((now - self._start) / self.n * (self.total - self.n))} left"
        get_logger().info("%s: %d%s (%s)", self.what, self.n, left, self.unit)

    def over(self, items: Iterable) -> Iterator[Any]:
        for item in items:
            yield item
            self.update()

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is open."""


def duration(seconds: float) -> str:
    """ "45 s", "12 min", "3 h 05 min", "2 d 03 h": two units at most, rounded down."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if days:
        return f"{days} d {hours % 24:02d} h"
    if hours:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{minutes} min" if minutes else f"{whole} s"
