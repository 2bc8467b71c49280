"""How a report writes numbers, differences of two runs, and the heads of their columns."""

from collections.abc import Sequence
from html import escape
from math import isfinite

SAME = 5e-4  # differences that a number of three digits does not show


def number(value: float | None, *, digits: int = 3) -> str:
    """A fraction as the field writes it; a dash for what is not known."""
    return f"{value:.{digits}f}" if value is not None and isfinite(value) else "–"


def difference(first: float | None, second: float | None) -> str:
    """A cell with second - first."""
    if first is None or second is None or not (isfinite(first) and isfinite(second)):
        return "<td>–</td>"
    change = second - first
    kind = "up" if change > SAME else "down" if change < -SAME else "same"
    return f'<td class="{kind}">{change:+.3f}</td>'


def pair(values: Sequence[float | None]) -> str:
    """The cells of two runs and their difference."""
    cells = "".join(f"<td>{number(value)}</td>" for value in values)
    return cells + difference(values[0], values[1])


def heads(names: Sequence[str], *, columns: int = 1) -> str:
    """A column head in the colour of each run."""
    return "".join(f'<th class="run{i}" colspan="{columns}">{escape(name)}</th>' for i, name in enumerate(names))
