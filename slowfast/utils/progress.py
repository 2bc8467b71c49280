"""Progress bars with time left; on a terminal only, and on the main process only."""

from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from slowfast.utils.distributed import is_main


def progress(items: Iterable | None = None, *, what: str, total: int | None = None, unit: str = "it") -> Any:
    """Wrap an iterable in a bar named `what`. In a log file or a pipe nothing is drawn."""
    return tqdm(
        items, desc=what, total=total, unit=unit, disable=None if is_main() else True, leave=False, dynamic_ncols=True
    )
