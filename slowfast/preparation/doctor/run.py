"""The doctor on a validated data set: reads the detections as they are, and asks the videos how large their frames are."""

from pathlib import Path

import numpy as np

from slowfast.preparation.doctor.doctor import Examination, examine
from slowfast.preparation.validation.check import Validation
from slowfast.preparation.validation.split import CheckedSplit
from slowfast.preparation.validation.videos import ONE_FRAME, VideoCheck
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.problem import Problem
from slowfast.utils.ava.rows import any_detection_row, read_rows
from slowfast.utils.ava.tables import read_detections_csv
from slowfast.video.source import ClipReadError


def examine_detections(validation: Validation, path: Path) -> Examination:
    """Compare a detections file with the test split, or with the only split there is.

    Lines that cannot be read become faults of the validation. Raises FileNotFoundError, and ValueError where there are
    no annotations to compare with.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (--detections)")
    if not validation.splits:
        raise ValueError("there are no annotations of people to compare the detections with")
    split = validation.splits[-1]
    if split.label_map is None:
        raise ValueError("the label map cannot be read, so classes cannot be compared")
    try:
        detections = read_detections_csv(path)
    except ValueError:  # boxes in pixels, ids from 0: what the evaluator refuses is what is looked for
        problems: list[Problem] = []
        detections, _ = read_rows(path, any_detection_row, problems)
        validation.faults.take(problems)
    truth = _counted(split)
    check = next((check for check in validation.checks if check.name == split.name), None)
    return examine(
        truth,
        detections,
        split.eval_label_map or split.label_map,
        frame_size=lambda video: None if check is None else _frame_size(check, video),
    )


def _counted(split: CheckedSplit) -> BoxTable:
    """The annotations that are scored."""
    table = split.table
    keep = np.ones(len(table), dtype=bool)
    if split.exclusions:
        names = table.videos
        pairs = zip(table.video.tolist(), table.timestamp.tolist(), strict=True)
        keep &= np.array([(names[video], time) not in split.exclusions for video, time in pairs])
    if split.valid is not None:
        keep &= (table.timestamp >= split.valid[0]) & (table.timestamp <= split.valid[1])
    return table.rows(keep)


def _frame_size(check: VideoCheck, video: str) -> tuple[float, float] | None:
    """(height, width) of a video, None where it cannot be read."""
    key_frames = check.key_frames
    if video not in key_frames.videos:
        return None
    k = int(np.flatnonzero(key_frames.video == key_frames.videos.index(video))[0])
    try:
        frame = check.clock.read(check.pixels, video, key_frames.timestamp[k].item(), ONE_FRAME).frames[0]
    except ClipReadError:
        return None  # the validation has named it
    return (float(frame.shape[0]), float(frame.shape[1]))
