"""The page about a test of a detector, from plain numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from slowfast.report.axes import FEW_CLASSES
from slowfast.report.detection.cards import Card, gallery_html
from slowfast.report.detection.figures import all_figures
from slowfast.report.detection.sections import class_table, comparison, error_table, hero, most_confused
from slowfast.report.detection.tubes import has_tubes, tubes_section, video_map_figure
from slowfast.report.page import Section, beside, figures_as_svg, notes_html, page_html, plots
from slowfast.report.provenance import made_with
from slowfast.structures.outputs.diagnosis import Diagnosis

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ReportedRun:
    """One tested run.

    metrics:     the content of metrics.json
    log:         the records of log.jsonl, maybe none
    notes:       what a reader must know about these numbers
    given_boxes: where the boxes came from when the model was told them, such as "annotated boxes"; "" when it found them
    """

    name: str
    metrics: dict
    diagnosis: Diagnosis
    log: list[dict]
    notes: tuple[str, ...] = ()
    given_boxes: str = ""


def report_figures(runs: Sequence[ReportedRun]) -> dict[str, "Figure"]:
    """The plots of one run, or of two in the same axes."""
    figures = all_figures([(run.name, run.diagnosis) for run in runs], [(run.name, run.log) for run in runs])
    videos = [(run.name, run.metrics["video_mAP"]) for run in runs if run.metrics.get("video_mAP")]
    if len(videos) == len(runs):
        figures["video_map"] = video_map_figure(videos)
    return figures


def report_html(
    runs: Sequence[ReportedRun],
    figures: dict[str, "Figure"],
    galleries: Mapping[str, Sequence[Card]],
    *,
    differing: str = "",
) -> str:
    """The page. runs: one, or two to compare; galleries: {heading: cards}, shown in this order.

    differing: HTML about the keys in which two runs differ
    """
    svg = figures_as_svg(figures, _LABELS)
    diagnoses = [run.diagnosis for run in runs]
    sections = [
        *_tubes(runs, svg),
        (
            "errors",
            "Where errors come from",
            f"{_ERRORS}{beside(plots(svg, 'errors'), error_table([run.name for run in runs], diagnoses))}",
        ),
        *((f"gallery{i}", heading, _gallery(cards, i)) for i, (heading, cards) in enumerate(galleries.items())),
        ("actions", "Actions", f"{_ACTIONS}{_actions(diagnoses, plots(svg, 'ap_by_count'))}"),
        ("confusion", "Confusion", _confusion(runs, svg)),
        ("people", "Size and crowd", _people(diagnoses[0], svg)),
        ("actors", "Finding people", _actors(runs, svg)),
    ]
    if "loss" in svg or "held_out" in svg:
        sections.append(("training", "Training", plots(svg, "loss", "held_out")))
    head = f"{_head(runs)}{_notes(runs)}{differing}"
    foot = "".join(made_with(run.name, run.metrics) for run in runs)
    return page_html([run.name for run in runs], head, [Section(*section) for section in sections], foot=foot)


def _head(runs: Sequence[ReportedRun]) -> str:
    if len(runs) == 1:
        return hero(runs[0].metrics, runs[0].diagnosis)
    return comparison([run.name for run in runs], [run.metrics for run in runs], [run.diagnosis for run in runs])


def _notes(runs: Sequence[ReportedRun]) -> str:
    notes = [(run.name, note) for run in runs for note in (*run.metrics["warnings"], *run.notes)]
    return notes_html(notes, named=len(runs) > 1)


def _matrices(runs: Sequence[ReportedRun], svg: dict[str, str]) -> str:
    """Confusion matrices; one of many classes keeps its size and is scrolled on a phone."""
    shown = [(svg[f"confusion{i or ''}"], run.diagnosis.confusion) for i, run in enumerate(runs)]
    figures = (
        f'<figure class="plot tall{" crowded" if len(c.names) > FEW_CLASSES else ""}">{one}</figure>'
        for one, c in shown
    )
    return f'<div class="plots">{"".join(figures)}</div>'


def _actions(diagnoses: Sequence[Diagnosis], plot: str) -> str:
    """The table of two runs takes the whole width."""
    table = class_table(diagnoses)
    return beside(table, plot) if len(diagnoses) == 1 else table + plot


def _gallery(cards: Sequence[Card], number: int) -> str:
    told = _GALLERY if number == 0 else ""
    return f"{told}{gallery_html(cards, name=f'clip{number}')}" if cards else f"{told}<p>No key frame to show.</p>"


def _confusion(runs: Sequence[ReportedRun], svg: dict[str, str]) -> str:
    words = "".join(
        (f"<p><b>{escape(run.name)}</b></p>" if len(runs) > 1 else "") + most_confused(run.diagnosis) for run in runs
    )
    first = runs[0].diagnosis.confusion
    text = (
        f"<p>Of the people whose box was found ({first.people:,}; {first.missed:,} were not): is an action that they "
        "do scored above every action that they do not do (blue)? If not, which one beats it (orange)?</p>"
    )
    matrices = _matrices(runs, svg)
    return text + (beside(matrices, f"<div>{words}</div>") if len(runs) == 1 else f"{matrices}{words}")


def _tubes(runs: Sequence[ReportedRun], svg: dict[str, str]) -> list[tuple[str, str, str]]:
    metrics = [run.metrics for run in runs]
    if not all(map(has_tubes, metrics)):
        return []
    plot = plots(svg, "video_map") if "video_map" in svg else ""
    return [("video", "Video-mAP and conventions", tubes_section([run.name for run in runs], metrics, plot))]


def _people(diagnosis: Diagnosis, svg: dict[str, str]) -> str:
    if len(diagnosis.by_crowd) > 1:
        return f"{_PARTS}{plots(svg, 'by_size', 'by_crowd')}"
    crowd = "".join(f"<p>Every key frame with people has {escape(part.name)}.</p>" for part in diagnosis.by_crowd)
    return f"{_PARTS}{plots(svg, 'by_size')}{crowd}"


def _actors(runs: Sequence[ReportedRun], svg: dict[str, str]) -> str:
    """Curves where people were found; where boxes were given, why there is none."""
    found = [run for run in runs if not run.given_boxes]
    text = "".join(_given_text(run, named=len(runs) > 1) for run in runs if run.given_boxes)
    return f"{text}{_actor_text(found[0].diagnosis)}{plots(svg, 'actors', 'sweep')}" if found else text


def _given_text(run: ReportedRun, *, named: bool) -> str:
    actor, who = run.diagnosis.actor, f"<b>{escape(run.name)}</b>: " if named else ""
    recall, precision = (f"{values[-1]:.3f}" if len(values) else "0" for values in (actor.recall, actor.precision))
    return (
        f"<p>{who}The model did not find the people: it was given {escape(run.given_boxes)}, each with p(actor) 1. So "
        "there is no precision-recall curve and no threshold to sweep. Of the annotated people the boxes cover "
        f"<b>{recall}</b>, and <b>{precision}</b> of the boxes fit a person (IoU 0.5).</p>"
    )


def _actor_text(diagnosis: Diagnosis) -> str:
    stand_in = " The run left no people.csv with p(actor), so the best action score of a box stands for it."
    stand_in = "" if diagnosis.actor.score == "p(actor)" else stand_in
    return (
        f"<p>Boxes of people, whatever they do, ranked by {escape(diagnosis.actor.score)}.{stand_in} "
        "The second plot: what the mAP would be if only people above a threshold were kept, with and without "
        "suppressing overlapping boxes. The detections are those of the test: what its own threshold and suppression "
        "dropped cannot come back.</p>"
    )


_ERRORS = (
    "<p>What the mAP would gain if one kind of error were mended and all else stayed (after TIDE). <b>Wrong "
    "action</b>: the box is right, the person does something else. <b>Wrong box</b>: IoU between 0.1 and 0.5. "
    "<b>Duplicate</b>: a second box on what was found. <b>Background</b>: nobody is there. <b>Missed</b>: no box that "
    "could be mended. Shares are of the false detections; of the ground truth for what was missed.</p>"
)
_GALLERY = (
    "<p>Dashed: annotated; solid: detected with at least 0.3. Error, per person: 1 minus the score of what people do, "
    "plus the score of what they do not do. – marks what was missed, + what was wrongly found. Point at or tap a "
    "picture to play its clip.</p>"
)
_ACTIONS = "<p>Classes by the number of their annotated boxes.</p>"
_PARTS = (
    "<p>The same evaluation on parts of the ground truth: thirds of the people by the area of their box, and key "
    "frames by the number of people. Parts hold different actions, so compare runs rather than bars.</p>"
)
_LABELS = {
    "errors": "mAP gained by mending each kind of error",
    "ap_by_count": "AP of each class against its number of annotated boxes",
    "by_size": "mAP by the size of people",
    "by_crowd": "mAP by the number of people on the key frame",
    "confusion": "confusion matrix of actions",
    "confusion1": "confusion matrix of actions, second run",
    "actors": "precision-recall curve of finding people",
    "sweep": "mAP, precision and recall against the threshold on the actor score",
    "video_map": "video-mAP by the overlap of tubes",
    "loss": "training loss over the steps",
    "held_out": "held-out average precision over the epochs",
}
