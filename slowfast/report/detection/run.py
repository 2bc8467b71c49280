"""The report of a detector: what its test left on disk, or still has at hand, becomes one HTML page with its plots."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.people.annotated_set import AnnotatedSet
from slowfast.datasets.split import KeyFrameSplit
from slowfast.evaluation.diagnosis.diagnose import diagnose
from slowfast.evaluation.diagnosis.key_frame_verdicts import KeyFrameVerdict
from slowfast.evaluation.frames.conventions import convention_named
from slowfast.report.detection.cards import Card
from slowfast.report.detection.clips import ReportGallery
from slowfast.report.detection.page import ReportedRun, report_figures, report_html
from slowfast.report.page import figures_to_tensorboard, page_path, run_names, write_page
from slowfast.report.provenance import differing_keys
from slowfast.report.varied import varied
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.outputs.diagnosis import Diagnosis
from slowfast.visualization.plots import read_log

SHOWN_KEY_FRAMES = 6  # of each gallery
MAP_TOLERANCE = 1e-4


@dataclass(frozen=True)
class TestedRun:
    """A run after its test. people: the boxes found with p(actor), None where the run did not keep them."""

    folder: Path
    cfg: CfgNode
    split: KeyFrameSplit
    metrics: dict
    detections: BoxTable
    people: BoxTable | None

    @property
    def annotated(self) -> AnnotatedSet:
        return self.split.annotated

    @property
    def given_boxes(self) -> str:
        """Where the boxes came from when the model was told them; "" when it found them."""
        return self.metrics.get("given_boxes", "")

    @cached_property
    def diagnosed(self) -> tuple[Diagnosis, list[KeyFrameVerdict]]:
        """By the rules that the result was measured with."""
        rules = {}
        if self.metrics.get("convention"):
            convention = convention_named(self.metrics["convention"])
            rules = {"ap_rule": convention.ap, "matching": convention.matching}
        return diagnose(
            self.annotated.groundtruth,
            self.detections,
            self.annotated.eval_label_map,
            people=self.people,
            boxes_given=bool(self.given_boxes),
            protocol=self.metrics["protocol"],
            key_frames=self.metrics["key_frames"],
            exclusions=self.annotated.exclusions,
            iou_threshold=self.metrics["iou_threshold"],
            **rules,
        )

    def reported(self, name: str) -> ReportedRun:
        """The run as the page shows it."""
        log = self.folder / "log.jsonl"
        diagnosis = self.diagnosed[0]
        notes = [] if log.is_file() else ["there is no log.jsonl, so there are no learning curves"]
        if self.given_boxes:
            notes.insert(
                0, f"the model was given {self.given_boxes}; its numbers are not those of a model that finds people"
            )
        if abs(diagnosis.mean_ap - self.metrics["mAP"]) > MAP_TOLERANCE:
            notes.append(
                f"metrics.json says mAP {self.metrics['mAP']:.4f}; on the annotations as they are now these detections "
                f"have {diagnosis.mean_ap:.4f}, and all below is about that"
            )
        records = read_log(log) if log.is_file() else []
        return ReportedRun(name, self.metrics, diagnosis, records, tuple(notes), self.given_boxes)


def write_report(run: TestedRun, out: str | Path | None = None, *, compare: TestedRun | None = None) -> Path:
    """Write the page and return its path; its plots go as PNG into the folder beside it that has its name.

    out: the page; by default report.html in the run's folder, and with `compare` report_against_NAME.html
    compare: another run on the same annotations, shown beside it
    Raises ValueError when the two were not tested on the same classes and annotations.
    """
    runs = [run] if compare is None else [run, compare]
    names = run_names([one.folder for one in runs])
    if compare is not None:
        _refuse_other_data(run, compare)
    out = page_path(run.folder, names) if out is None else Path(out)
    reported = [one.reported(name) for one, name in zip(runs, names, strict=True)]
    figures = report_figures(reported)
    galleries = _one_gallery(run, names[0]) if compare is None else _two_galleries(runs, names)
    differing = "" if compare is None else differing_keys((names[0], names[1]), (run.cfg, compare.cfg))
    write_page(report_html(reported, figures, galleries, differing=differing), figures, out)
    if run.cfg.TENSORBOARD.ENABLE and compare is None:
        figures_to_tensorboard(figures, run.folder, reported[0].log)
    return out


def _refuse_other_data(run: TestedRun, compare: TestedRun) -> None:
    if run.metrics["instances"] != compare.metrics["instances"]:
        counts = [
            f"{one.folder}: {len(one.metrics['instances'])} classes, {sum(one.metrics['instances'].values())} boxes"
            for one in (run, compare)
        ]
        raise ValueError(f"runs on different annotations cannot be compared ({'; '.join(counts)})")


def _one_gallery(run: TestedRun, name: str) -> dict[str, list[Card]]:
    verdicts = run.diagnosed[1]
    worst = _varied(sorted(verdicts, key=lambda v: -v.error))
    hits = [v for v in verdicts if v.hit and v not in worst]
    best = _varied(sorted(hits, key=lambda v: (len(v.false) > 0, -v.hit)))
    gallery = ReportGallery(run.cfg, run.split)
    return {
        heading: gallery.cards([[v] for v in chosen], [(name, run.detections)])
        for heading, chosen in (("Worst misses", worst), ("Best hits", best))
    }


def _two_galleries(runs: Sequence[TestedRun], names: Sequence[str]) -> dict[str, list[Card]]:
    """Key frames on which the two differ most, either way."""
    of_second = {(v.video, v.timestamp): v for v in runs[1].diagnosed[1]}
    pairs = [(v, of_second[v.video, v.timestamp]) for v in runs[0].diagnosed[1] if (v.video, v.timestamp) in of_second]
    gallery = ReportGallery(runs[0].cfg, runs[0].split)
    found = [(name, run.detections) for name, run in zip(names, runs, strict=True)]
    result = {}
    for better in (1, 0):
        gain = {(a.video, a.timestamp): (b.error - a.error) * (1 if better == 0 else -1) for a, b in pairs}
        order = sorted((a for a, _ in pairs), key=lambda v: -gain[v.video, v.timestamp])
        chosen = _varied([v for v in order if gain[v.video, v.timestamp] > 0])
        result[f"Where {names[better]} is better"] = gallery.cards(
            [[v, of_second[v.video, v.timestamp]] for v in chosen], found
        )
    return result


def _varied(verdicts: Sequence[KeyFrameVerdict]) -> list[KeyFrameVerdict]:
    return varied(verdicts, lambda verdict: verdict.video, most=SHOWN_KEY_FRAMES)
