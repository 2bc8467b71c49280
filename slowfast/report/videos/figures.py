"""The plots about a classifier. Each takes one or two runs as (name, VideoScores) and returns a matplotlib figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from slowfast.evaluation.videos.scores import VideoScores
from slowfast.report.axes import MARKERS, classes_to_show, run_legend, share_matrix, short, unit_range
from slowfast.report.svg import RUN_COLOURS, new_figure, styled
from slowfast.report.training import Logs, training_figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Runs = Sequence[tuple[str, VideoScores]]
HELD_OUT = (
    ("top1", "top-1", "-"),
    ("top5", "top-5", "--"),
    ("mean_class_accuracy", "mean class accuracy", ":"),
    ("mAP", "mAP", "-"),
)


def all_figures(runs: Runs, logs: Logs) -> dict[str, "Figure"]:
    """{name: figure}: everything that the scores and logs of these runs allow."""
    with styled():
        figures = {"classes": sorted_classes(runs)}
        if not runs[0][1].multi_label:
            shown = shown_classes(runs)
            for i, (name, scores) in enumerate(runs):
                figures[f"confusion{i or ''}"] = confusion(scores, shown, name if len(runs) > 1 else "")
    return figures | training_figures(logs, HELD_OUT, title="Held-out accuracy")


def shown_classes(runs: Runs) -> np.ndarray:
    """Of the confusion matrices of all runs the rows that are drawn, the same for each."""
    return classes_to_show(np.sum([scores.confusion.counts for _, scores in runs], axis=0))


def sorted_classes(runs: Runs) -> "Figure":
    """Accuracy (AP with many labels) of every class that has a video, the best first."""
    figure = new_figure()
    axes = figure.subplots()
    for i, (name, scores) in enumerate(runs):
        values = scores.class_values()
        values = np.sort(values[np.isfinite(values)])[::-1]
        mark = MARKERS[i] if len(values) <= 50 else ""
        axes.plot(
            np.arange(1, len(values) + 1), values, marker=mark, markersize=4, color=RUN_COLOURS[i], label=short(name)
        )
    unit_range(axes)
    what = "AP" if runs[0][1].multi_label else "Accuracy"
    axes.set(title=f"{what} of classes, each run's best first", xlabel="classes")
    # An AutoLocator, which its declared type does not say.
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)  # type: ignore[call-arg]
    run_legend(axes, len(runs))
    return figure


def confusion(scores: VideoScores, shown: np.ndarray, run: str) -> "Figure":
    """shown: class indices, the rows and columns. Of the videos of a class, the share that is taken for each."""
    total = scores.confusion.videos[shown]
    return share_matrix(
        [scores.class_names[k] for k in shown],
        scores.confusion.counts[np.ix_(shown, shown)] / np.maximum(total, 1)[:, None],
        total.tolist(),
        title=f"What videos are taken for, %{'  · ' + short(run) if run else ''}",
        rows="true class (videos)",
        columns="taken for",
    )
