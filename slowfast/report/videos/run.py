"""The report of a classifier: what its test left on disk, or still has at hand, becomes one HTML page with its plots."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.datasets.split import VideoSplit
from slowfast.evaluation.videos.scores import VideoScores
from slowfast.report.page import figures_to_tensorboard, page_path, run_names, write_page
from slowfast.report.provenance import differing_keys, made_with
from slowfast.report.videos.gallery import VideoCard, card_of, chosen, chosen_of_two
from slowfast.report.videos.page import ReportedScores, report_figures, report_html
from slowfast.visualization.plots import read_log

TOLERANCE = 1e-6


@dataclass(frozen=True)
class ClassifierRun:
    """A run after its test. split: where frames for the galleries come from; metrics: the content of metrics.json."""

    folder: Path
    cfg: CfgNode
    split: VideoSplit
    metrics: dict
    scores: VideoScores

    def reported(self, name: str, scores: VideoScores) -> ReportedScores:
        """The run as the page shows it; scores: its own, maybe in another order of videos."""
        log, headline = self.folder / "log.jsonl", scores.headline
        notes = [] if log.is_file() else ["there is no log.jsonl, so there are no learning curves"]
        said = self.metrics.get(headline.name)
        if said is not None and abs(said - headline.value) > TOLERANCE:
            notes.append(
                f"metrics.json says {headline.name} {said:.4f}; the scores beside it have {headline.value:.4f}, and all "
                "below is about those"
            )
        unreadable = self.metrics.get("unreadable_clips") or []
        if unreadable:
            notes.append(f"{len(unreadable)} clips could not be read, the first: {unreadable[0]}")
        return ReportedScores(name, scores, self._facts(), read_log(log) if log.is_file() else [], tuple(notes))

    def _facts(self) -> dict[str, str]:
        cfg = self.cfg
        speed = self.metrics.get("clips_per_second")
        tested_apart = not cfg.TRAIN.ENABLE and (self.folder / "test_config.yaml").is_file()
        config = "test_config.yaml" if tested_apart else "config.yaml"
        return {
            "data set": f"{cfg.TEST.DATASET} ({cfg.DATA.PATH_TO_DATA_DIR})",
            "views": f"{cfg.TEST.NUM_ENSEMBLE_VIEWS} clips x {cfg.TEST.NUM_SPATIAL_CROPS} crops",
            "model": cfg.MODEL.MODEL_NAME,
            "checkpoint": "what this run has trained" if cfg.TRAIN.ENABLE else cfg.TEST.CHECKPOINT_FILE_PATH,
            "config": str(self.folder / config),
            "clips a second": f"{speed:.1f}" if speed else "",
        }


def write_report(run: ClassifierRun, out: str | Path | None = None, *, compare: ClassifierRun | None = None) -> Path:
    """Write the page and return its path; its plots go as PNG into the folder beside it that has its name.

    out: the page; by default report.html in the run's folder, and with `compare` report_against_NAME.html
    compare: another run on the same videos and classes, shown beside it
    Raises ValueError when the two were not tested on the same.
    """
    runs = [run] if compare is None else [run, compare]
    names = run_names([one.folder for one in runs])
    scores = [run.scores] if compare is None else [run.scores, _in_the_order_of(run, compare)]
    out = page_path(run.folder, names) if out is None else Path(out)
    reported = [one.reported(name, its) for one, name, its in zip(runs, names, scores, strict=True)]
    figures = report_figures(reported)
    differing = "" if compare is None else differing_keys((names[0], names[1]), (run.cfg, compare.cfg))
    foot = "".join(made_with(name, one.metrics) for name, one in zip(names, runs, strict=True))
    galleries = _galleries(run, list(zip(names, scores, strict=True)))
    write_page(report_html(reported, figures, galleries, differing=differing, foot=foot), figures, out)
    if run.cfg.TENSORBOARD.ENABLE and compare is None:
        figures_to_tensorboard(figures, run.folder, reported[0].log)
    return out


def _galleries(run: ClassifierRun, scored: Sequence[tuple[str, VideoScores]]) -> dict[str, list[VideoCard]]:
    picked = chosen(scored[0][1]) if len(scored) == 1 else chosen_of_two(scored)
    return {heading: [card_of(v, scored, run.split.pixels) for v in videos] for heading, videos in picked.items()}


def _in_the_order_of(run: ClassifierRun, other: ClassifierRun) -> VideoScores:
    """The scores of `other` with its videos in the order of `run`. Raises ValueError where they are not the same."""
    one, two = run.scores, other.scores
    if one.class_names != two.class_names:
        first = next((pair for pair in zip(one.class_names, two.class_names, strict=False) if pair[0] != pair[1]), None)
        differ = f"; the first that differ are {first[0]!r} and {first[1]!r}" if first else ""
        raise ValueError(
            f"runs on different classes cannot be compared ({run.folder}: {len(one.class_names)}, {other.folder}: "
            f"{len(two.class_names)} classes{differ})"
        )
    place = {name: v for v, name in enumerate(two.names)}
    alone = [name for name in one.names if name not in place]
    if alone or len(one.names) != len(two.names):
        raise ValueError(
            f"runs on different videos cannot be compared ({run.folder}: {len(one.names)}, {other.folder}: "
            f"{len(two.names)} videos, {len(alone)} of the first are not in the second)"
        )
    order = [place[name] for name in one.names]
    two = replace(two, names=one.names, labels=two.labels[order], scores=two.scores[order], views=two.views[order])
    if one.labels.shape != two.labels.shape or (one.labels != two.labels).any():
        raise ValueError(f"the same videos have other labels in {other.folder} than in {run.folder}: not comparable")
    return two
