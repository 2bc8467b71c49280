"""Plots of a data set: how often each class occurs, how large people are, how many are on a key frame."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from slowfast.preparation.validation.facts import SplitFacts
from slowfast.report.axes import run_legend, short
from slowfast.report.svg import INK, RUN_COLOURS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CLASSES = 30  # bars of a plot, at most


def data_figures(facts: Sequence[SplitFacts]) -> dict[str, "Figure"]:
    """{name: figure}; nothing for splits that could not be read."""
    with styled():
        figures = {"classes": class_bars(facts)} if facts else {}
        people = [split for split in facts if len(split.crowd)]
        if people:
            figures["sizes"] = _histogram(
                people,
                [split.sides for split in people],
                np.linspace(0, 1, 21),
                title="Sizes of people",
                x="side of a square as large as the box (1: the frame)",
                y="share of people",
            )
            most = max(int(split.crowd.max()) for split in people)
            figures["crowd"] = _histogram(
                people,
                [split.crowd for split in people],
                np.arange(min(most, 20) + 2) - 0.5,
                title="People on a key frame",
                x="people" if most <= 20 else "people (20: 20 or more)",
                y="share of key frames",
            )
    return figures


def class_bars(facts: Sequence[SplitFacts]) -> "Figure":
    """A bar a class and split, the most frequent first; of very many classes the most frequent and the rarest."""
    names = list(dict.fromkeys(name for split in facts for name in split.classes))
    total = {name: sum(split.classes.get(name, 0) for split in facts) for name in names}
    order = sorted(names, key=lambda name: -total[name])
    cut = len(order) > MOST_CLASSES
    if cut:
        order = order[: MOST_CLASSES * 2 // 3] + order[-MOST_CLASSES // 3 :]
    figure = new_figure(height=0.9 + 0.24 * len(order))
    axes = figure.subplots()
    height = 0.76 / len(facts)
    for i, split in enumerate(facts):
        at = np.arange(len(order)) + (i - (len(facts) - 1) / 2) * height
        values = [split.classes.get(name, 0) for name in order]
        axes.barh(at, values, height * 0.92, color=RUN_COLOURS[i], label=split.name)
        for y, value in zip(at, values, strict=True):
            axes.annotate(
                f"{value:,}", (value, y), xytext=(4, 0), textcoords="offset points", va="center", fontsize=7.5
            )
    axes.set_yticks(range(len(order)), [short(name) for name in order], fontsize=8)
    axes.tick_params(axis="y", labelcolor=INK, length=0)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    if max(total.values(), default=0) > 20 * max(1, min(total.values(), default=0)):
        axes.set_xscale("symlog", linthresh=1)
    axes.margins(x=0.16, y=0.02)
    left_out = f", {MOST_CLASSES * 2 // 3} most and {MOST_CLASSES // 3} least frequent" if cut else ""
    axes.set(title=f"Samples of each class{left_out}")
    run_legend(axes, len(facts))
    return figure


def _histogram(
    facts: Sequence[SplitFacts], values: Sequence[np.ndarray], edges: np.ndarray, *, title: str, x: str, y: str
) -> "Figure":
    """Shares, so that splits of different sizes can be compared; what lies above the last edge counts there."""
    figure = new_figure(height=2.6)
    axes = figure.subplots()
    width = np.diff(edges) * 0.92 / len(facts)
    for i, (split, column) in enumerate(zip(facts, values, strict=True)):
        inside = np.minimum(column, (edges[-1] + edges[-2]) / 2)
        share = np.histogram(inside, edges)[0] / max(len(column), 1)
        left = edges[:-1] + np.diff(edges) * 0.04 + i * width
        axes.bar(left, share, width, align="edge", color=RUN_COLOURS[i], label=split.name)
    axes.grid(axis="x", visible=False)
    if edges[1] - edges[0] == 1:  # counts
        axes.locator_params(axis="x", integer=True)
    axes.set(title=title, xlabel=x, ylabel=y)
    run_legend(axes, len(facts))
    return figure
