"""The page about a test of a classifier, from plain numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from slowfast.evaluation.videos.confusion import ClassRow
from slowfast.evaluation.videos.scores import CONFUSED, VideoScores
from slowfast.evaluation.videos.tables import by_value
from slowfast.report.axes import FEW_CLASSES
from slowfast.report.numbers import difference, heads, number, pair
from slowfast.report.page import Section, beside, figures_as_svg, notes_html, page_html, plots
from slowfast.report.videos.figures import all_figures, shown_classes
from slowfast.report.videos.gallery import VideoCard, gallery_html, right

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONG_TABLE = 30  # rows from which a table scrolls in itself
WORDS = {
    "top1": "top-1 accuracy",
    "top5": "top-5 accuracy",
    "mean_class_accuracy": "mean class accuracy",
    "mAP": "mAP",
}
ENSEMBLES = {
    "probabilities": "mean probability of the views",
    "logits": "mean raw output of the views",
    "max_probabilities": "highest probability of the views",
}


@dataclass(frozen=True)
class ReportedScores:
    """One tested run. facts: what it was tested with, {"checkpoint": ...}, as shown; log: records of log.jsonl, maybe
    none; notes: what a reader must know beside what the scores tell themselves."""

    name: str
    scores: VideoScores
    facts: Mapping[str, str] = field(default_factory=dict)
    log: Sequence[dict] = ()
    notes: tuple[str, ...] = ()


def report_figures(runs: Sequence[ReportedScores]) -> dict[str, "Figure"]:
    """The plots of one run, or of two in the same axes."""
    return all_figures([(run.name, run.scores) for run in runs], [(run.name, list(run.log)) for run in runs])


def report_html(
    runs: Sequence[ReportedScores],
    figures: Mapping[str, "Figure"],
    galleries: Mapping[str, Sequence[VideoCard]],
    *,
    differing: str = "",
    foot: str = "",
) -> str:
    """The page. runs: one, or two on the same videos and classes; galleries: {heading: cards}, shown in this order.

    differing: HTML about the keys in which two runs differ; foot: about what made them
    """
    svg = figures_as_svg(figures, _LABELS)
    sections = [] if runs[0].scores.multi_label else [Section("confusion", "Confusion", _confusion(runs, svg))]
    for i, (heading, cards) in enumerate(galleries.items()):
        sections.append(Section(f"gallery{i}", heading, (_GALLERY if i == 0 else "") + gallery_html(cards)))
    sections.append(Section("classes", "Classes", _classes(runs, svg)))
    if "loss" in svg or "held_out" in svg:
        sections.append(Section("training", "Training", plots(svg, "loss", "held_out")))
    notes = [(run.name, note) for run in runs for note in (*run.scores.warnings, *run.notes)]
    head = (_hero(runs[0]) if len(runs) == 1 else _comparison(runs)) + notes_html(notes, named=len(runs) > 1)
    return page_html([run.name for run in runs], head + differing, sections, foot=foot)


# ------------------------------------------------------------------------------------------------------ head


def _measured_on(run: ReportedScores) -> str:
    """What a number was measured on, in a sentence."""
    scores = run.scores
    facts = "".join(f"; {escape(name)} <b>{escape(text)}</b>" for name, text in run.facts.items() if text)
    views = "1 view" if scores.num_views == 1 else f"{scores.num_views} views"
    ensemble = ENSEMBLES.get(scores.ensemble, escape(scores.ensemble))
    return f"{len(scores.names):,} videos, {len(scores.class_names):,} classes, {views} of each, {ensemble}{facts}"


def _hero(run: ReportedScores) -> str:
    scores, (first, *others) = run.scores, run.scores.summary().items()
    scored = sum(row.videos > 0 for row in scores.classes)
    tiles = {WORDS[name]: number(value) for name, value in others}
    tiles |= {
        "videos": f"{len(scores.names):,}",
        "classes with videos": f"{scored:,} of {len(scores.class_names):,}",
        "views of each": f"{scores.num_views}",
        "with some views only": f"{len(scores.partial):,}",
        "without any view": f"{len(scores.missing):,}",
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles.items())
    return (
        f'<div class="hero"><div class="big" id="{first[0]}">{number(first[1])}</div>'
        f'<div class="what"><b>{WORDS[first[0]]}</b>: {_measured_on(run)}</div></div><dl class="tiles">{cells}</dl>'
    )


def _comparison(runs: Sequence[ReportedScores]) -> str:
    big = "".join(
        f'<div><div class="big run{i}">{number(run.scores.headline.value)}</div>'
        f'<div class="run{i}">{escape(run.name)}</div></div>'
        for i, run in enumerate(runs)
    )
    told = "".join(
        f'<p class="what"><b class="run{i}">{escape(run.name)}</b>: {_measured_on(run)}</p>'
        for i, run in enumerate(runs)
    )
    first, second = (run.scores.summary() for run in runs)
    rows = "".join(f"<tr><td>{WORDS[name]}</td>{pair([first[name], second[name]])}</tr>" for name in first)
    table = (
        f"<table><thead><tr><th></th>{heads([run.name for run in runs])}<th>change</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
    return f'<div class="hero two">{big}</div>{told}<div class="table">{table}</div>{_agreement(runs)}'


def _agreement(runs: Sequence[ReportedScores]) -> str:
    """On how many videos both, one or none is right."""
    first, second = (right(run.scores) for run in runs)
    names = [escape(run.name) for run in runs]
    counts = {
        "both": int((first & second).sum()),
        f"{names[0]} only": int((first & ~second).sum()),
        f"{names[1]} only": int((~first & second).sum()),
        "neither": int((~first & ~second).sum()),
    }
    text = ", ".join(f"{who} <b>{count:,}</b>" for who, count in counts.items())
    return f'<p class="what" id="agreement">Videos whose best class is right: {text}.</p>'


# ------------------------------------------------------------------------------------------------------ sections


def _confusion(runs: Sequence[ReportedScores], svg: Mapping[str, str]) -> str:
    """Matrices, and the most confused pairs of each run; a matrix of many classes is scrolled on a phone."""
    classes = len(runs[0].scores.class_names)
    shown = shown_classes([(run.name, run.scores) for run in runs])
    crowded = " crowded" if len(shown) > FEW_CLASSES else ""
    matrices = "".join(
        f'<figure class="plot tall{crowded}">{svg[name]}</figure>' for name in ("confusion", "confusion1")[: len(runs)]
    )
    part = f" Drawn: the {len(shown)} classes with most mistakes, of {classes:,}." if len(shown) < classes else ""
    file = " All of it is in confusion.csv of the run." if part else ""
    text = (
        "<p>Of the videos of a class, the share that is taken for it (blue) and for others (orange). A video without "
        f"views is taken for nothing, and counts as wrong.{part}{file}</p>"
    )
    tables = "".join(
        (f"<p><b>{escape(run.name)}</b></p>" if len(runs) > 1 else "") + _pairs(run.scores, i)
        for i, run in enumerate(runs)
    )
    figures = f'<div class="plots">{matrices}</div>'
    return text + (beside(figures, f"<div>{tables}</div>") if len(runs) == 1 else f"{figures}{tables}")


def _pairs(scores: VideoScores, run: int) -> str:
    pairs = scores.confused(CONFUSED)
    if not pairs:
        return "<p>No video is taken for another class.</p>"
    rows = "".join(
        f'<tr><td>{escape(str(p["true"]))}</td><td class="name">{escape(str(p["predicted"]))}</td>'
        f"<td>{p['count']:,}</td><td>{100 * float(p['share']):.0f} %</td></tr>"
        for p in pairs
    )
    head = '<tr><th>true class</th><th class="name">taken for</th><th>videos</th><th>of the class</th></tr>'
    return _table(f"confused{run or ''}", head, rows, count=len(pairs))


def _classes(runs: Sequence[ReportedScores], svg: Mapping[str, str]) -> str:
    """The table of two runs takes the whole width."""
    if len(runs) == 1:
        scores = runs[0].scores
        what = "average precision" if scores.multi_label else "accuracy, the share of their videos that is right"
        told = f"<p>Classes by {what}, the best first; those without videos last.</p>"
        return told + beside(_class_table(scores), plots(svg, "classes"))
    return (
        "<p>Classes by the difference of the two runs, the largest gain first.</p>"
        + _two_class_table(runs)
        + plots(svg, "classes")
    )


def _class_table(scores: VideoScores) -> str:
    many = scores.multi_label
    columns = '<th>class</th><th>videos</th><th class="bar"></th>'
    columns += (
        "<th>AP</th>"
        if many
        else '<th>accuracy</th><th class="wide">precision</th><th class="name">most often wrong as</th>'
    )
    rows = "".join(
        f"<tr><td>{escape(row.name)}</td><td>{row.videos:,}</td>{_bar(row.value)}<td>{number(row.value)}</td>"
        + ("" if many else f'<td class="wide">{number(row.precision)}</td>{_wrong(row, scores)}')
        + "</tr>"
        for row in by_value(scores.classes)
    )
    return _table("classes-table", f"<tr>{columns}</tr>", rows, count=len(scores.class_names))


def _wrong(row: ClassRow, scores: VideoScores) -> str:
    text = "–" if row.wrong is None else f"{escape(scores.class_names[row.wrong])} ({row.wrong_count:,})"
    return f'<td class="name">{text}</td>'


def _two_class_table(runs: Sequence[ReportedScores]) -> str:
    first, second = (run.scores.classes for run in runs)
    change = np.array([b.value - a.value for a, b in zip(first, second, strict=True)])
    order = np.argsort(np.where(np.isnan(change), np.inf, -change), kind="stable")
    rows = "".join(
        f'<tr><td>{escape(first[k].name)}</td><td>{first[k].videos:,}</td><td class="bar">'
        f"{_bar_span(first[k].value)}{_bar_span(second[k].value)}</td><td>{number(first[k].value)}</td>"
        f"<td>{number(second[k].value)}</td>{difference(first[k].value, second[k].value)}</tr>"
        for k in order
    )
    head = (
        f'<tr><th>class</th><th>videos</th><th class="bar"></th>{heads([run.name for run in runs])}<th>change</th></tr>'
    )
    return _table("classes-table", head, rows, count=len(first))


def _bar(value: float) -> str:
    return f'<td class="bar">{_bar_span(value)}</td>'


def _bar_span(value: float) -> str:
    return f'<span style="width:{100 * (value if isfinite(value) else 0):.1f}%"></span>'


def _table(name: str, head: str, rows: str, *, count: int) -> str:
    """A long one scrolls in itself, under its head."""
    kind = "table long" if count > LONG_TABLE else "table"
    return f'<div class="{kind}"><table id="{name}"><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


_GALLERY = (
    "<p>The middle frame of a video, what it shows, and its three best classes with their scores; the true ones are "
    "marked. One video of each pair of classes as long as there are enough of them.</p>"
)
_LABELS = {
    "classes": "accuracy or average precision of all classes, the best first",
    "confusion": "confusion matrix of classes",
    "confusion1": "confusion matrix of classes, second run",
    "loss": "training loss over the steps",
    "held_out": "held-out accuracy over the epochs",
}
