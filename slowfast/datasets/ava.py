"""AVA: annotations, label maps and pixels of one split, in the official formats; custom data in these formats too."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slowfast.datasets.ava_annotations import KeyFrames, build_key_frames
from slowfast.datasets.pixels import ClipReadError
from slowfast.datasets.video import VideoFiles
from slowfast.structures.box_table import BoxTable
from slowfast.structures.label_map import LabelMap, read_label_map
from slowfast.structures.tube import Tube
from slowfast.utils.ava_csv import concatenate_tables, read_exclusions_csv, read_groundtruth_csv


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


def read_ava(
    annotation_files: Sequence[str | Path],
    *,
    label_map_file: str | Path,
    eval_label_map_file: str | Path,
    exclusion_file: str | Path | None,
    classes: Sequence[int] = (),
    valid_seconds: tuple[int, int] | None = None,
) -> AnnotatedSet:
    """Read the official CSVs of a split. `classes` restricts training and evaluation to these action ids.

    Raises FileNotFoundError for a missing file and ValueError (file, line, value, rule) for what is wrong in one; an
    action id that the label map lacks is an error unless `classes` restricts it on purpose.
    """
    if not annotation_files:
        raise ValueError("no annotation file is named (AVA.TRAIN_GT_BOX_LISTS)")
    table = concatenate_tables([read_groundtruth_csv(path) for path in annotation_files])
    label_map, eval_label_map = read_label_map(label_map_file), read_label_map(eval_label_map_file)
    if classes:
        label_map = label_map.subset(list(classes))
        eval_label_map = eval_label_map.subset([i for i in classes if i in eval_label_map.ids])
    exclusions = frozenset(read_exclusions_csv(exclusion_file)) if exclusion_file else frozenset()
    source = ", ".join(str(path) for path in annotation_files)
    key_frames, report = build_key_frames(
        table,
        label_map,
        exclusions=exclusions,
        valid_seconds=valid_seconds,
        ignore_unknown=bool(classes),
        source=source,
    )
    if not len(key_frames):
        raise ValueError(f"{source}: no key frame is left to use; {report}")
    return AnnotatedSet(key_frames, table, label_map, eval_label_map, exclusions, (f"{source}: {report}",))


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
