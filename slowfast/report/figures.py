"""The plots of a report. Each takes one or two runs as (name, Diagnosis) and returns a matplotlib figure."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from slowfast.report.svg import GRID, INK, MUTED, PAPER, PART_COLOURS, RUN_COLOURS, new_figure, styled
from slowfast.structures.diagnosis import Confusion, Diagnosis, Part
from slowfast.visualization.plots import SMOOTHING_SHARE, running_mean, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Runs = Sequence[tuple[str, Diagnosis]]
Logs = Sequence[tuple[str, list[dict]]]
MARKERS = ("o", "s")
LABELLED_CLASSES = 12  # points of the scatter that bear a name, at most
CONFUSION_CLASSES = 24  # rows of the matrix, at most
FEW_CLASSES = 12  # up to which the cells of the matrix bear numbers


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
        if any(r.get("kind") == "train" for _, log in logs for r in log):
            figures["loss"] = losses(logs)
        if any(r.get("kind") == "eval" for _, log in logs for r in log):
            figures["held_out"] = held_out(logs)
    return figures


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
    _legend(axes, runs)
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
        )
    for c in _worth_a_label([c for c in runs[0][1].classes if c.instances]):
        axes.annotate(c.name, (c.instances, c.ap), xytext=(4, 4), textcoords="offset points", fontsize=8.5, color=MUTED)
    axes.set_xscale("log")
    axes.margins(x=0.18)
    _unit_range(axes)
    axes.set(title="AP against annotated boxes", xlabel="boxes (logarithmic)", ylabel="AP@0.5")
    _plain_log_ticks(axes)
    _legend(axes, runs)
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
    _unit_range(axes)
    axes.set(title=f"mAP {title}")
    _legend(axes, runs)
    return figure


def _wrapped(name: str) -> str:
    return name.replace(", ", "\n")


def confusion_matrix(confusion: Confusion, run: str) -> "Figure":
    """Rows are normalised: of the people who do an action, the share that is taken for each."""
    chosen = _rows_to_show(confusion)
    total = confusion.counts[chosen].sum(axis=1)
    share = confusion.counts[np.ix_(chosen, chosen)] / np.maximum(total, 1)[:, None]
    names, n = [confusion.names[k] for k in chosen], len(chosen)
    few = n <= FEW_CLASSES
    figure = new_figure(width=4.7, height=4.3)
    axes = figure.subplots()
    for i in range(n):
        for j in range(n):
            _cell(axes, i, j, float(share[i, j]), with_number=few)
    size = 8 if few else 6
    slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if few else {"rotation": 90}
    axes.set(xlim=(-0.5, max(n, 1) - 0.5), ylim=(max(n, 1) - 0.5, -0.5), aspect="equal")
    axes.set_xticks(range(n), names, fontsize=size, **slant)
    axes.set_yticks(range(n), [f"{name} ({count})" for name, count in zip(names, total, strict=True)], fontsize=size)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("taken for", fontsize=size + 1)
    axes.set_ylabel("does (people found)", fontsize=size + 1)
    axes.set_title(f"Actions of found people, %{'  · ' + run if run else ''}", fontsize=size + 2)
    return figure


def _cell(axes: "Axes", i: int, j: int, share: float, *, with_number: bool) -> None:
    """Row i, column j of a matrix: blue on the diagonal, orange beside it, the stronger the more."""
    from matplotlib.patches import Rectangle

    colour = GRID if not share else RUN_COLOURS[0] if i == j else RUN_COLOURS[1]
    alpha = 0.12 + 0.78 * share if share else 0.3
    axes.add_patch(Rectangle((j - 0.48, i - 0.48), 0.96, 0.96, color=colour, alpha=alpha, linewidth=0))
    if with_number and share >= 0.005:
        ink = PAPER if share > 0.6 else INK
        axes.text(j, i, f"{100 * share:.0f}", ha="center", va="center", fontsize=9, color=ink)


def _rows_to_show(confusion: Confusion) -> np.ndarray:
    """Classes that occur; of very many those with most mistakes."""
    counts = confusion.counts
    mistakes = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    occurs = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    best = occurs[np.argsort(-mistakes[occurs], kind="stable")][:CONFUSION_CLASSES]
    return np.sort(best)


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
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left")
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
    figure.legend(fontsize=8, ncols=2, loc="outside lower center")
    return figure


def losses(logs: Logs) -> "Figure":
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
            axes.plot(steps, smooth, color=colour, linewidth=1.9 if total else 1.3, label=label)
    axes.set_ylim(bottom=0)
    axes.set(title="Training loss", xlabel="step")
    axes.legend(fontsize=8.5)
    return figure


def held_out(logs: Logs) -> "Figure":
    figure = new_figure()
    axes = figure.subplots()
    for i, (name, log) in enumerate(logs):
        evaluations = [record for record in log if record.get("kind") == "eval"]
        for key, what, dashes in (("mAP", "mAP", "-"), ("person_AP", "person AP", "--")):
            epochs, values = series(evaluations, "epoch", key)
            if len(epochs):
                label = what if len(logs) == 1 else f"{name}, {what}"
                axes.plot(epochs, values, dashes, color=RUN_COLOURS[i], marker=MARKERS[i], markersize=3.5, label=label)
    low, high = axes.get_xlim()
    axes.set(xlim=(min(low, high - 1), max(high, low + 1)), ylim=(0, 1.02), title="Held-out AP@0.5", xlabel="epoch")
    # An AutoLocator, which its declared type does not say.
    axes.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
    axes.legend(fontsize=8.5)
    return figure


def _legend(axes: "Axes", runs: Runs) -> None:
    """Which colour is which run, above the plot."""
    if len(runs) > 1:
        handles, labels = axes.get_legend_handles_labels()
        axes.figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=8.5)


def _unit_range(axes: "Axes") -> None:
    """0 to 1 on the vertical axis, with room for a label above 1."""
    axes.set_ylim(0, 1.1)
    axes.set_yticks(np.linspace(0, 1, 6))
