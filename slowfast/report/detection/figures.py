"""The plots of a report. Each takes one or two runs as (name, Diagnosis) and returns a matplotlib figure."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from slowfast.report.axes import MARKERS, classes_to_show, run_legend, share_matrix, unit_range
from slowfast.report.svg import INK, MUTED, PART_COLOURS, RUN_COLOURS, new_figure, styled
from slowfast.report.training import Logs, training_figures
from slowfast.structures.outputs.diagnosis import Confusion, Diagnosis, Part
from slowfast.visualization.plots import legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Runs = Sequence[tuple[str, Diagnosis]]
HELD_OUT = (("mAP", "mAP", "-"), ("person_AP", "person AP", "--"))
LABELLED_CLASSES = 12  # points of the scatter that bear a name, at most


def all_figures(runs: Runs, logs: Logs) -> dict[str, "Figure"]:
    """{name: figure}: everything that the data of these runs allow."""
    with styled():
        figures = {
            "errors": error_costs(runs),
            "ap_by_count": ap_by_count(runs),
            "pr_curves": pr_curves(runs),
            "by_size": parts(runs, lambda d: d.by_size, "by the size of people (share of the frame)"),
        }
        if any(len(diagnosis.by_crowd) > 1 for _, diagnosis in runs):
            figures["by_crowd"] = parts(runs, lambda d: d.by_crowd, "by people on the key frame")
        if any(diagnosis.sweeps for _, diagnosis in runs):  # the others were given their boxes
            figures |= {"actors": actor_curves(runs), "sweep": threshold_sweeps(runs)}
        for i, (name, diagnosis) in enumerate(runs):
            figures[f"confusion{i or ''}"] = confusion_matrix(diagnosis.confusion, name if len(runs) > 1 else "")
    return figures | training_figures(logs, HELD_OUT, title="Held-out AP@0.5")


def error_costs(runs: Runs) -> "Figure":
    """mAP gained by mending each kind of error alone."""
    kinds = [cost.kind for cost in runs[0][1].errors]
    figure = new_figure(height=2.7 + 0.5 * (len(runs) - 1))
    axes = figure.subplots()
    height = 0.72 / len(runs)
    for i, (name, diagnosis) in enumerate(runs):
        gain = {cost.kind: cost.gain for cost in diagnosis.errors}
        at = np.arange(len(kinds)) + (i - (len(runs) - 1) / 2) * height
        values = [gain[kind] for kind in kinds]
        axes.barh(at, values, height * 0.92, color=RUN_COLOURS[i], label=name)
        for y, value in zip(at, values, strict=True):
            axes.annotate(
                f"{value:+.3f}", (value, y), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9
            )
    axes.set_yticks(range(len(kinds)), kinds)
    axes.tick_params(axis="y", labelcolor=INK, length=0)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.16)
    axes.set(title="mAP gained if mended", xlabel="mAP")
    run_legend(axes, len(runs))
    return figure


def ap_by_count(runs: Runs) -> "Figure":
    """AP of each class against its ground-truth boxes."""
    figure = new_figure()
    axes = figure.subplots()
    for i, (name, diagnosis) in enumerate(runs):
        shown = [c for c in diagnosis.classes if c.instances]
        axes.scatter(
            [c.instances for c in shown],
            [c.ap for c in shown],
            s=22,
            color=RUN_COLOURS[i],
            marker=MARKERS[i],
            label=name,
            alpha=0.8,
            clip_on=False,  # an AP of 0 is seen whole
        )
    for c in _worth_a_label([c for c in runs[0][1].classes if c.instances]):
        axes.annotate(c.name, (c.instances, c.ap), xytext=(4, 4), textcoords="offset points", fontsize=8.5, color=MUTED)
    axes.set_xscale("log")
    axes.margins(x=0.18)
    unit_range(axes)
    axes.set(title="AP against annotated boxes", xlabel="boxes (logarithmic)", ylabel="AP@0.5")
    _plain_log_ticks(axes)
    run_legend(axes, len(runs))
    return figure


def _worth_a_label(classes: list) -> list:
    """Of many classes the best, the worst and the most frequent; never two whose names would cover each other."""
    by_ap, third = sorted(classes, key=lambda c: -c.ap), LABELLED_CLASSES // 3
    few = len(classes) <= LABELLED_CLASSES
    chosen = by_ap if few else [*by_ap[:third], *by_ap[-third:], *sorted(classes, key=lambda c: -c.instances)[:third]]
    counts = np.log([c.instances for c in classes])
    width = max(float(np.ptp(counts)), 1e-9)
    labelled: list = []
    for c in chosen:
        near = [o for o in labelled if abs(o.ap - c.ap) < 0.06 and abs(np.log(o.instances / c.instances)) < 0.4 * width]
        if not near:
            labelled.append(c)
    return labelled


def _plain_log_ticks(axes: "Axes") -> None:
    """1, 10, 20, 50, 100 in place of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def pr_curves(runs: Runs) -> "Figure":
    """A small precision-recall plot per class with ground truth."""
    shown = [k for k, c in enumerate(runs[0][1].classes) if c.instances]
    columns = min(4, max(1, len(shown)))
    rows = -(-len(shown) // columns)
    figure = new_figure(width=1.9 * columns, height=1.7 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes in grid[len(shown) :]:
        axes.set_visible(False)
    for axes, k in zip(grid, shown, strict=False):
        for i, (_, diagnosis) in enumerate(runs):
            _curve(axes, diagnosis.classes[k].recall, diagnosis.classes[k].precision, RUN_COLOURS[i])
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.set_title(f"{runs[0][1].classes[k].name}  {runs[0][1].classes[k].ap:.2f}", fontsize=9)
    return figure


def _curve(axes: "Axes", recall: np.ndarray, precision: np.ndarray, colour: str, label: str | None = None) -> None:
    """An interpolated curve: precision holds back to recall 0 and falls to 0 after the last point."""
    if len(recall):
        x = np.concatenate([[0.0], recall, [recall[-1]]])
        y = np.concatenate([[precision[0]], precision, [0.0]])
        axes.step(x, y, where="pre", color=colour, linewidth=1.6, label=label)


def parts(runs: Runs, which: Callable[[Diagnosis], tuple[Part, ...]], title: str) -> "Figure":
    """mAP of parts of the ground truth."""
    names = list(dict.fromkeys(part.name for _, d in runs for part in which(d)))
    figure = new_figure(height=2.4)
    axes = figure.subplots()
    width = 0.62 / len(runs)
    for i, (name, diagnosis) in enumerate(runs):
        values = {part.name: part for part in which(diagnosis)}
        at = np.array([names.index(part) for part in values]) + (i - (len(runs) - 1) / 2) * width
        heights = [part.mean_ap for part in values.values()]
        axes.bar(at, heights, width * 0.92, color=RUN_COLOURS[i], label=name)
        for x, part in zip(at, values.values(), strict=True):
            text = "none" if np.isnan(part.mean_ap) else f"{part.mean_ap:.2f}"
            y = 0 if np.isnan(part.mean_ap) else part.mean_ap
            axes.annotate(text, (x, y), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=9)
    counts = {part.name: part.instances for _, d in runs for part in which(d)}
    axes.set_xticks(range(len(names)), [f"{_wrapped(name)}\n{counts[name]} boxes" for name in names], fontsize=8.5)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="x", visible=False)
    unit_range(axes)
    axes.set(title=f"mAP {title}")
    run_legend(axes, len(runs))
    return figure


def _wrapped(name: str) -> str:
    return name.replace(", ", "\n")


def confusion_matrix(confusion: Confusion, run: str) -> "Figure":
    """Rows are normalised: of the people who do an action, the share that is taken for each."""
    chosen = classes_to_show(confusion.counts)
    total = confusion.counts[chosen].sum(axis=1)
    return share_matrix(
        [confusion.names[k] for k in chosen],
        confusion.counts[np.ix_(chosen, chosen)] / np.maximum(total, 1)[:, None],
        total.tolist(),
        title=f"Actions of found people, %{'  · ' + run if run else ''}",
        rows="does (people found)",
        columns="taken for",
    )


def actor_curves(runs: Runs) -> "Figure":
    figure = new_figure()
    axes = figure.subplots()
    for i, (name, diagnosis) in enumerate(runs):
        if not diagnosis.sweeps:
            continue
        label = f"{name}: AP {diagnosis.actor.ap:.3f}" if len(runs) > 1 else f"AP {diagnosis.actor.ap:.3f}"
        _curve(axes, diagnosis.actor.recall, diagnosis.actor.precision, RUN_COLOURS[i], label)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axes.set_title(f"People, ranked by {runs[0][1].actor.score}")
    legend_below(figure, axes)
    return figure


def threshold_sweeps(runs: Runs) -> "Figure":
    """mAP (thick) and recall of people (thin) against the threshold; dashed with suppression."""
    figure = new_figure()
    axes = figure.subplots()
    for i, (name, diagnosis) in enumerate(runs):
        for sweep in diagnosis.sweeps:
            dashes = "--" if sweep.nms_iou else "-"
            what = f"NMS {sweep.nms_iou:g}" if sweep.nms_iou else "no NMS"
            label = what if len(runs) == 1 else f"{name}, {what}"
            axes.plot(
                sweep.thresholds, sweep.mean_ap, dashes, color=RUN_COLOURS[i], linewidth=1.9, label=f"mAP, {label}"
            )
            if len(runs) == 1:
                for values, part, colour in ((sweep.precision, "precision", 0), (sweep.recall, "recall", 1)):
                    axes.plot(
                        sweep.thresholds,
                        values,
                        dashes,
                        color=PART_COLOURS[colour],
                        linewidth=1.1,
                        label=f"{part}, {what}",
                    )
    axes.set(xlim=(0, 0.92), ylim=(0, 1.02), xlabel=f"threshold on {runs[0][1].actor.score}")
    axes.set_title("People of at least this score only")
    legend_below(figure, axes, fontsize=8)
    return figure
