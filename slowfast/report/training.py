"""Learning curves of one run or two, from the records of their log.jsonl."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from slowfast.report.axes import MARKERS
from slowfast.report.svg import INK, PART_COLOURS, RUN_COLOURS, new_figure, styled
from slowfast.visualization.plots import SMOOTHING_SHARE, dot_of_one, legend_below, room_around, running_mean, series

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Logs = Sequence[tuple[str, list[dict]]]
Curves = Sequence[tuple[str, str, str]]


def training_figures(logs: Logs, held_out: Curves, *, title: str) -> dict[str, "Figure"]:
    """{"loss", "held_out"}, those that the logs allow.

    logs: (name of the run, records); held_out: (key of an "eval" record, its name, dashes), whose values are fractions
    title: of the plot of those
    """
    figures = {}
    with styled():
        if any(record.get("kind") == "train" for _, log in logs for record in log):
            figures["loss"] = _losses(logs)
        if any(record.get("kind") == "eval" for _, log in logs for record in log):
            figures["held_out"] = _held_out(logs, held_out, title)
    return figures


def _losses(logs: Logs) -> "Figure":
    figure = new_figure()
    axes = figure.subplots()
    for i, (name, log) in enumerate(logs):
        train = [record for record in log if record.get("kind") == "train"]
        parts = sorted({key for record in train for key in record if key.startswith("loss/")}) if len(logs) == 1 else []
        for j, key in enumerate(["loss", *parts]):
            steps, values = series(train, "step", key)
            if not len(steps):
                continue
            total = key == "loss"
            colour = (RUN_COLOURS[i] if len(logs) > 1 else INK) if total else PART_COLOURS[(j - 1) % len(PART_COLOURS)]
            label = (name if len(logs) > 1 else "total") if total else key.removeprefix("loss/")
            smooth = running_mean(values, half_width=round(SMOOTHING_SHARE * len(values)))
            axes.plot(steps, values, color=colour, alpha=0.2, linewidth=0.8)
            axes.plot(
                steps, smooth, color=colour, linewidth=1.9 if total else 1.3, label=label, marker=dot_of_one(values)
            )
    axes.set(title="Training loss", xlabel="step")
    room_around(axes)
    legend_below(figure, axes, fontsize=8.5)
    return figure


def _held_out(logs: Logs, curves: Curves, title: str) -> "Figure":
    figure = new_figure()
    axes = figure.subplots()
    for i, (name, log) in enumerate(logs):
        evaluations = [record for record in log if record.get("kind") == "eval"]
        for key, what, dashes in curves:
            epochs, values = series(evaluations, "epoch", key)
            if len(epochs):
                label = what if len(logs) == 1 else f"{name}, {what}"
                line = axes.plot(
                    epochs, values, dashes, color=RUN_COLOURS[i], marker=MARKERS[i], markersize=3.5, label=label
                )
                line[0].set_clip_on(False)  # points at 0 and 1 are seen whole
    room_around(axes)
    axes.set(ylim=(0, 1.02), title=title, xlabel="epoch")
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)  # type: ignore[call-arg]
    legend_below(figure, axes, fontsize=8.5)
    return figure
