"""AnnotatedSet: one split of any set of people on key frames, and what becomes of its videos without a file."""

from dataclasses import dataclass, replace

import numpy as np

from slowfast.datasets.annotations.key_frames import KeyFrames
from slowfast.structures.box_table import BoxTable
from slowfast.structures.label_map import LabelMap
from slowfast.structures.tube import Tube
from slowfast.video.reader import VideoFiles
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
    exclusions: frozenset[tuple[str, int]] = frozenset()
    notes: tuple[str, ...] = ()
    tubes: tuple[Tube, ...] = ()


def without_missing_videos(
    annotated: AnnotatedSet, videos: VideoFiles, *, ignore: bool, section: str = "AVA"
) -> AnnotatedSet:
    """Check that every video has its file. Raises FileNotFoundError naming those that have none, unless `ignore`:
    then their key frames and tubes are left out, and the note says how many. `section`: whose keys a message names."""
    missing, reasons = [], []
    for index, video in enumerate(annotated.key_frames.videos):
        try:
            videos.path(video)
        except ClipReadError as error:
            missing.append(index)
            reasons.append(str(error))
    if not missing:
        return annotated
    shown = "\n".join(f"  - {reason}" for reason in reasons[:5]) + ("\n  - ..." if len(reasons) > 5 else "")
    total = len(annotated.key_frames.videos)
    if not ignore:
        raise FileNotFoundError(
            f"{len(missing)} of {total} annotated videos have no file:\n{shown}\n"
            f"Correct {section}.VIDEO_DIR, or set {section}.IGNORE_MISSING_VIDEOS True to go on without them"
        )
    keep = np.flatnonzero(~np.isin(annotated.key_frames.video, missing))
    if not len(keep):
        raise FileNotFoundError(
            f"none of the {total} annotated videos has a file:\n{shown}\nCorrect {section}.VIDEO_DIR"
        )
    note = f"{len(missing)} of {total} annotated videos have no file and are left out ({section}.IGNORE_MISSING_VIDEOS):\n{shown}"
    gone = {annotated.key_frames.videos[index] for index in missing}
    return replace(
        annotated,
        key_frames=annotated.key_frames.subset(keep),
        tubes=tuple(tube for tube in annotated.tubes if tube.video not in gone),
        notes=(*annotated.notes, note),
    )
