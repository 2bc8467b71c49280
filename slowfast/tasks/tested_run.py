"""A run after its test, read back from its folder: for reports that are written later."""

from collections.abc import Sequence
from pathlib import Path

import simplejson

from slowfast.config import load_cfg
from slowfast.report.detection.run import TestedRun
from slowfast.tasks.build import build_task
from slowfast.tasks.localization import Localization
from slowfast.utils.ava_csv import read_detections_csv

NEEDED = ("config.yaml", "metrics.json", "detections.csv")


def read_tested_run(folder: str | Path, overrides: Sequence[str] = ()) -> TestedRun:
    """Read what a test left in `folder`. overrides: keys that changed since, such as AVA.VIDEO_DIR of another machine.

    Raises FileNotFoundError that names what is missing, and ValueError for a file with other content.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; give the OUTPUT_DIR of a run that was tested")
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} has no {', '.join(missing)}: it is not the OUTPUT_DIR of a run that was tested; "
            "tools/run_net.py with TEST.ENABLE True leaves them"
        )
    cfg = load_cfg(folder / "config.yaml", list(overrides))
    people = folder / "people.csv"
    metrics, task = _read_metrics(folder / "metrics.json"), build_task(cfg)
    if not isinstance(task, Localization):
        raise ValueError(f"{folder} is the run of a classifier; the report shows detections")
    return TestedRun(
        folder,
        cfg,
        task.test_split,
        metrics,
        read_detections_csv(folder / "detections.csv"),
        read_detections_csv(people) if people.is_file() else None,
    )


def _read_metrics(path: Path) -> dict:
    try:
        metrics = simplejson.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); test the run again") from None
    missing = sorted(
        {"mAP", "protocol", "key_frames", "iou_threshold", "instances", "counters", "warnings"} - set(metrics)
    )
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}: it is not the metrics.json of a detection test")
    return metrics
