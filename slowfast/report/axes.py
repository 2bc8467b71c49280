"""What plots of a report share: marks of the runs, legends, ranges, and matrices of shares."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from slowfast.report.svg import GRID, INK, PAPER, RUN_COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s")
FEW_CLASSES = 12  # up to which the cells of a matrix bear numbers
MATRIX_CLASSES = 24  # rows of a matrix, at most
LONGEST_NAME = 24  # characters of a class name in a plot


def short(name: str) -> str:
    """A name as a plot shows it: not too long, and a dollar sign is no mathematics."""
    cut = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1].rstrip() + "…"
    return cut.replace("$", r"\$")


def run_legend(axes: "Axes", runs: int) -> None:
    """Which colour is which run, above the plot; nothing where there is one."""
    if runs > 1:
        handles, labels = axes.get_legend_handles_labels()
        axes.figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=8.5)


def unit_range(axes: "Axes") -> None:
    """0 to 1 on the vertical axis, with room for a label above 1."""
    axes.set_ylim(0, 1.1)
    axes.set_yticks(np.linspace(0, 1, 6))


def classes_to_show(counts: np.ndarray) -> np.ndarray:
    """Of a (C, C) matrix the classes that occur, ascending; of very many the MATRIX_CLASSES with most mistakes."""
    mistakes = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    occurs = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    best = occurs[np.argsort(-mistakes[occurs], kind="stable")][:MATRIX_CLASSES]
    return np.sort(best)


def share_matrix(
    names: Sequence[str], share: np.ndarray, total: Sequence[int], *, title: str, rows: str, columns: str
) -> "Figure":
    """n classes. share: (n, n), of what is in row i the part that column j got; total: what is in each row.

    rows, columns: what they are. Blue on the diagonal, orange beside it, the stronger the more.
    """
    few, n = len(names) <= FEW_CLASSES, len(names)
    figure = new_figure(width=4.7, height=4.3)
    axes = figure.subplots()
    for i in range(n):
        for j in range(n):
            _cell(axes, i, j, float(share[i, j]), with_number=few)
    size = 8 if few else 6
    slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if few else {"rotation": 90}
    axes.set(xlim=(-0.5, max(n, 1) - 0.5), ylim=(max(n, 1) - 0.5, -0.5), aspect="equal")
    shown = [short(name) for name in names]
    axes.set_xticks(range(n), shown, fontsize=size, **slant)
    axes.set_yticks(range(n), [f"{name} ({count})" for name, count in zip(shown, total, strict=True)], fontsize=size)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(columns, fontsize=size + 1)
    axes.set_ylabel(rows, fontsize=size + 1)
    axes.set_title(title, fontsize=size + 2)
    return figure


def _cell(axes: "Axes", i: int, j: int, share: float, *, with_number: bool) -> None:
    from matplotlib.patches import Rectangle

    colour = GRID if not share else RUN_COLOURS[0] if i == j else RUN_COLOURS[1]
    alpha = 0.12 + 0.78 * share if share else 0.3
    axes.add_patch(Rectangle((j - 0.48, i - 0.48), 0.96, 0.96, color=colour, alpha=alpha, linewidth=0))
    if with_number and share >= 0.005:
        ink = PAPER if share > 0.6 else INK
        axes.text(j, i, f"{100 * share:.0f}", ha="center", va="center", fontsize=9, color=ink)
