"""A run after its test, read back from its folder: for reports that are written later."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import simplejson
from fvcore.common.config import CfgNode

from slowfast.config import load_cfg
from slowfast.datasets.build import read_split
from slowfast.datasets.split import VideoSplit
from slowfast.evaluation.videos.score_files import read_scores
from slowfast.report.detection import run as detection
from slowfast.report.detection.run import TestedRun
from slowfast.report.videos import run as videos
from slowfast.report.videos.run import ClassifierRun
from slowfast.tasks.build import build_task, task_class
from slowfast.tasks.classification import Classification
from slowfast.tasks.localization import Localization
from slowfast.utils.ava.tables import read_detections_csv

DETECTION_NUMBERS = ("mAP", "protocol", "key_frames", "iou_threshold", "instances", "counters", "warnings")
VIDEO_NUMBERS = ("ensemble", "num_videos", "views_per_video")


def read_tested_run(folder: str | Path, overrides: Sequence[str] = ()) -> TestedRun | ClassifierRun:
    """Read what a test left in `folder`. overrides: keys that changed since, such as AVA.VIDEO_DIR of another machine.

    Raises FileNotFoundError that names what is missing, and ValueError for a file with other content.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; give the OUTPUT_DIR of a run that was tested")
    _refuse_missing(folder, "config.yaml", "metrics.json")
    cfg = load_cfg(_config_of_the_test(folder), list(overrides))
    kind = task_class(cfg)
    if issubclass(kind, Classification):
        return _read_classifier(folder, cfg)
    if issubclass(kind, Localization):
        return _read_detector(folder, cfg)
    raise ValueError(f"{folder} is the run of a {kind.__name__}; there are reports of detectors and of classifiers")


def write_report(
    run: TestedRun | ClassifierRun,
    out: str | Path | None = None,
    *,
    compare: TestedRun | ClassifierRun | None = None,
) -> Path:
    """The page about a run of either kind; see `write_report` of the two rooms of `report`.

    Raises ValueError for a detector and a classifier, which have nothing to compare.
    """
    if isinstance(run, TestedRun) and (compare is None or isinstance(compare, TestedRun)):
        return detection.write_report(run, out, compare=compare)
    if isinstance(run, ClassifierRun) and (compare is None or isinstance(compare, ClassifierRun)):
        return videos.write_report(run, out, compare=compare)
    kinds = [
        f"{one.folder} {'detects people' if isinstance(one, TestedRun) else 'classifies videos'}"
        for one in (run, compare)
        if one
    ]
    raise ValueError(f"runs of two kinds cannot be compared ({', '.join(kinds)})")


def _config_of_the_test(folder: Path) -> Path:
    """test_config.yaml, if metrics.json is of that test; else config.yaml. A test in the folder of a training leaves both."""
    apart = folder / "test_config.yaml"
    if not apart.is_file():
        return folder / "config.yaml"
    metrics = _read_metrics(folder / "metrics.json", (), "")
    said = (metrics.get("run") or {}).get("config_sha256")
    return apart if said == hashlib.sha256(apart.read_bytes()).hexdigest() else folder / "config.yaml"


def _refuse_missing(folder: Path, *names: str) -> None:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} has no {', '.join(missing)}: it is not the OUTPUT_DIR of a run that was tested; "
            "tools/run_net.py with TEST.ENABLE True leaves them"
        )


def _read_detector(folder: Path, cfg: CfgNode) -> TestedRun:
    _refuse_missing(folder, "detections.csv")
    people = folder / "people.csv"
    metrics, task = _read_metrics(folder / "metrics.json", DETECTION_NUMBERS, "detection"), build_task(cfg)
    assert isinstance(task, Localization)
    return TestedRun(
        folder,
        cfg,
        task.test_split,
        metrics,
        read_detections_csv(folder / "detections.csv"),
        read_detections_csv(people) if people.is_file() else None,
    )


def _read_classifier(folder: Path, cfg: CfgNode) -> ClassifierRun:
    """Its test list is read for the pixels alone: names, labels and classes are those that were scored."""
    _refuse_missing(folder, cfg.TEST.SAVE_RESULTS_PATH)
    metrics = _read_metrics(folder / "metrics.json", VIDEO_NUMBERS, "classification")
    scores = read_scores(folder / cfg.TEST.SAVE_RESULTS_PATH)
    split = read_split(cfg, "test")
    if not isinstance(split, VideoSplit):
        raise ValueError(f"TEST.DATASET {cfg.TEST.DATASET} has people on key frames, and {folder} classifies videos")
    return ClassifierRun(folder, cfg, split, metrics, scores)


def _read_metrics(path: Path, needed: Sequence[str], kind: str) -> dict:
    try:
        metrics = simplejson.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); test the run again") from None
    missing = sorted(set(needed) - set(metrics))
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}: it is not the metrics.json of a {kind} test")
    return metrics
