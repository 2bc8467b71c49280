"""Plots of a run, read from its JSON-lines log."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slowfast.utils.files import open_whole
from slowfast.utils.missing import MissingPackageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

# Okabe and Ito's palette: told apart with any colour vision; the total is black
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
_SHORT_LABEL = 16  # characters; legends of short labels have three columns
SMOOTHING_SHARE = 0.02  # of the steps, on each side of the running mean
_TOUCHING = 0.06  # numbers at the ends of two curves that are nearer would cover each other; the lower one moves down


def read_log(path: str | Path) -> list[dict]:
    """The records of a JSON-lines log in order; blank lines are skipped.

    Raises FileNotFoundError, or ValueError naming file and line where a line is no JSON object.
    """
    path = Path(path)
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: not valid JSON ({error})") from None
        if not isinstance(record, dict):
            raise ValueError(f"{path}, line {number}: expected a JSON object, got {line.strip()[:60]!r}")
        records.append(record)
    return records


def plot_training_curve(log_jsonl_path: str | Path, out_png: str | Path) -> None:
    """Draw the loss with its parts over the steps, and mAP with person AP over the epochs, into a PNG.

    The log holds {"kind": "train", "step", "loss", "loss/PART"...} and {"kind": "eval", "epoch", "mAP", "person_AP"}
    records; others are ignored. Raises ValueError when no train record is in it, and ImportError without matplotlib.
    """
    records = read_log(log_jsonl_path)
    if not any(record.get("kind") == "train" for record in records):
        raise ValueError(
            f'{log_jsonl_path}: no {{"kind": "train"}} record among {len(records)}; is it the log.jsonl of a run?'
        )
    figure = training_curve_figure(records)
    out_png = Path(out_png)
    out_png.parent.mkdir(parents=True, exist_ok=True)
    with open_whole(out_png, "wb") as file:
        figure.savefig(file, dpi=130, format="png")


def training_curve_figure(records: list[dict]) -> "Figure":
    """The figure of `plot_training_curve`; the second panel is there when something was evaluated."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError("plots need matplotlib: pip install matplotlib") from error
    train = [record for record in records if record.get("kind") == "train"]
    evaluations = [record for record in records if record.get("kind") == "eval"]
    panels = 2 if evaluations else 1
    figure = Figure(figsize=(5.6 * panels, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    parts = figure.subfigures(1, panels, squeeze=False)[0]
    _plot_losses(parts[0].subplots(), train)
    if evaluations:
        _plot_evaluations(parts[1].subplots(), evaluations)
    for part in parts:
        legend_below(part, part.axes[0], frameon=False, fontsize=9)
    return figure


def legend_below(figure: "FigureBase", axes: "Axes", **style: Any) -> None:
    """The legend of `axes` below the plot, where it covers no curve; none where nothing was drawn."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        columns = 3 if max(map(len, labels)) <= _SHORT_LABEL else 2 if max(map(len, labels)) <= 2 * _SHORT_LABEL else 1
        figure.legend(handles, labels, loc="outside lower center", ncols=min(columns, len(labels)), **style)


def room_around(axes: "Axes") -> None:
    """Whole numbers on the horizontal axis, be there one only, and the vertical one from 0 to above the curves."""
    low, high = axes.get_xlim()
    bottom, top = axes.get_ylim()
    short = max(0.0, 1 - (high - low))
    axes.set(xlim=(low - short, high + short), ylim=(0, max(top + 0.04 * (top - bottom), 1e-6)))
    # An AutoLocator, which its declared type does not say.
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)  # type: ignore[call-arg]


def dot_of_one(values: np.ndarray) -> str:
    """The marker of a curve: a single point makes no line, and would not be seen."""
    return "o" if len(values) == 1 else ""


def running_mean(values: np.ndarray, *, half_width: int) -> np.ndarray:
    """Mean over up to `half_width` neighbours on each side, fewer at the ends; (N,) -> (N,)."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    low, high = np.maximum(index - half_width, 0), np.minimum(index + half_width + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)


def _style(axes: "Axes", *, title: str, xlabel: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel(xlabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)


def series(records: list[dict], x: str, y: str) -> tuple[np.ndarray, np.ndarray]:
    """The values of the records that hold both keys, sorted by x; of records with one x the last counts (a resumed run
    writes some steps again). A value that is not finite is left out: there is no place for it on the axis."""
    pairs = {record[x]: float(record[y]) for record in records if x in record and record.get(y) is not None}
    kept = sorted((key, value) for key, value in pairs.items() if np.isfinite(value))
    return np.array([key for key, _ in kept], dtype=float), np.array([value for _, value in kept])


def _plot_losses(axes: "Axes", train: list[dict]) -> None:
    parts = sorted({key for record in train for key in record if key.startswith("loss/")})
    for i, key in enumerate(["loss", *parts]):
        steps, values = series(train, "step", key)
        if not len(steps):
            continue
        colour, width = ("black", 2.2) if key == "loss" else (COLOURS[(i - 1) % len(COLOURS)], 1.5)
        axes.plot(steps, values, color=colour, alpha=0.18, linewidth=0.8)
        smooth = running_mean(values, half_width=round(SMOOTHING_SHARE * len(values)))
        label = "total" if key == "loss" else key.removeprefix("loss/")
        axes.plot(steps, smooth, color=colour, linewidth=width, label=label, marker=dot_of_one(values))
    _style(axes, title="Training loss", xlabel="step")
    room_around(axes)


def _plot_evaluations(axes: "Axes", evaluations: list[dict]) -> None:
    drawn = []
    for key, name, colour, marker in (
        ("mAP", "frame-mAP@0.5", COLOURS[0], "o"),
        ("person_AP", "person AP@0.5", COLOURS[1], "s"),
    ):
        epochs, values = series(evaluations, "epoch", key)
        if len(epochs):
            axes.plot(
                epochs, values, color=colour, marker=marker, markersize=4, linewidth=1.8, label=name, clip_on=False
            )
            drawn.append((epochs[-1], values[-1], colour))
    for epoch, value, colour in drawn:
        above = [other for _, other, _ in drawn if value < other < value + _TOUCHING]
        axes.annotate(
            f"{value:.3f}",
            (epoch, value),
            xytext=(6, -11 if above else 4),
            textcoords="offset points",
            color=colour,
            fontsize=9,
        )
    _style(axes, title="Held-out average precision", xlabel="epoch")
    axes.margins(x=0.12)
    room_around(axes)
    axes.set_ylim(0, 1)
