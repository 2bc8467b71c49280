"""Progress with time left: a bar on a terminal, and elsewhere a line a minute. On the main process only."""

import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any

from tqdm import tqdm

from slowfast.utils.distributed import is_main
from slowfast.utils.logging import get_logger

SECONDS_BETWEEN_LINES = 60.0


def progress(items: Iterable | None = None, *, what: str, total: int | None = None, unit: str = "it") -> Any:
    """Wrap an iterable in a bar named `what`, or with `items` None get a bar to move on by hand.

    In a log file or a pipe no bar is drawn; an iterable then logs a line a minute, so that a long job shows that it
    lives. Its caller says something itself where it moves on by hand.
    """
    bar = tqdm(
        items, desc=what, total=total, unit=unit, disable=None if is_main() else True, leave=False, dynamic_ncols=True
    )
    return _lines(items, what, total, unit) if bar.disable and items is not None and is_main() else bar


def _lines(items: Iterable, what: str, total: int | None, unit: str) -> Iterator[Any]:
    if total is None and isinstance(items, Sized):
        total = len(items)
    start = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            left = f" of {total}, {duration((now - start) / done * (total - done))} left" if total and done else ""
            get_logger().info("%s: %d%s (%s)", what, done, left, unit)
        yield item


def duration(seconds: float) -> str:
    """ "45 s", "12 min", "3 h 05 min", "2 d 03 h": two units at most, rounded down."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if days:
        return f"{days} d {hours % 24:02d} h"
    if hours:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{minutes} min" if minutes else f"{whole} s"
