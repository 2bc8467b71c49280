"""AnnotatedSet: one split of any set of people on key frames, and what becomes of its videos without a file."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from slowfast.datasets.annotations.people.key_frames import KeyFrames
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.annotations.tube import Tube
from slowfast.video.source import ClipReadError


@dataclass(frozen=True)
class AnnotatedSet:
    """One split as annotated: key frames to sample clips from, and what the evaluator compares with.

    label_map:      classes of the model, in index order
    eval_label_map: classes that are evaluated
    exclusions:     (video, timestamp) of key frames that count for nothing
    notes:          lines for the log: what was read, dropped and counted
    tubes:          the same people as tubes, in sets annotated frame by frame
    """

    key_frames: KeyFrames
    groundtruth: BoxTable
    label_map: LabelMap
    eval_label_map: LabelMap
    exclusions: frozenset[tuple[str, float]] = frozenset()
    notes: tuple[str, ...] = ()
    tubes: tuple[Tube, ...] = ()


def without_missing_videos(
    annotated: AnnotatedSet, check: Callable[[str], object], *, ignore: bool, folder_key: str = "AVA.VIDEO_DIR"
) -> AnnotatedSet:
    """Check that every video has its file, or its frames. Raises FileNotFoundError naming those that have none, unless
    `ignore`: then their key frames and tubes are left out, and the note says how many.

    check:      raises ClipReadError for a video that is not there
    folder_key: the key that messages name
    """
    missing, reasons = [], []
    for index, video in enumerate(annotated.key_frames.videos):
        try:
            check(video)
        except ClipReadError as error:
            missing.append(index)
            reasons.append(str(error))
    if not missing:
        return annotated
    ignore_key = f"{folder_key.partition('.')[0]}.IGNORE_MISSING_VIDEOS"
    what = "frames" if folder_key.endswith("FRAME_DIR") else "file"
    shown = "\n".join(f"  - {reason}" for reason in reasons[:5]) + ("\n  - ..." if len(reasons) > 5 else "")
    total = len(annotated.key_frames.videos)
    if not ignore:
        raise FileNotFoundError(
            f"{len(missing)} of {total} annotated videos have no {what}:\n{shown}\n"
            f"Correct {folder_key}, or set {ignore_key} True to go on without them"
        )
    keep = np.flatnonzero(~np.isin(annotated.key_frames.video, missing))
    if not len(keep):
        raise FileNotFoundError(f"none of the {total} annotated videos has a {what}:\n{shown}\nCorrect {folder_key}")
    note = f"{len(missing)} of {total} annotated videos have no {what} and are left out ({ignore_key}):\n{shown}"
    gone = {annotated.key_frames.videos[index] for index in missing}
    return replace(
        annotated,
        key_frames=annotated.key_frames.subset(keep),
        tubes=tuple(tube for tube in annotated.tubes if tube.video not in gone),
        notes=(*annotated.notes, note),
    )
