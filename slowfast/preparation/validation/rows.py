"""Checks of annotations alone: boxes, classes, doubled rows, seconds, and what two splits share."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from slowfast.datasets.annotations.people.key_frames import box_rules
from slowfast.preparation.faults import Faults
from slowfast.preparation.validation.split import CheckedSplit, people_of, rows_with_action
from slowfast.structures.annotations.label_map import LabelMap

SLIVER = 0.01  # of the frame: the thinnest of AVA's boxes are 0.013
_SHOWN = 5


def check_rows(split: CheckedSplit, faults: Faults, *, ignore_unknown: bool) -> None:
    """Everything that the rows of one split tell by themselves. ignore_unknown: classes were restricted on purpose."""
    check_boxes(split, faults)
    check_doubled(split, faults)
    check_seconds(split, faults)
    check_exclusions(split, faults)
    if split.label_map is not None:
        check_classes(split, split.label_map, faults, ignore_unknown=ignore_unknown)


def check_boxes(split: CheckedSplit, faults: Faults) -> None:
    """Boxes that training refuses, and slivers."""
    bad = np.zeros(len(split.table), dtype=bool)
    for kind, wrong, rule in box_rules(split.table):
        for row in np.flatnonzero(wrong & ~bad).tolist():
            box = ", ".join(f"{x:g}" for x in split.table.boxes[row])
            faults.add(kind, f"{split.moment(row)}: box ({box}) is {rule}", **split.place(row))
        bad |= wrong
    people = people_of(split.table)
    boxes = split.table.boxes[people]
    thin = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    for row, side in zip(people.tolist(), thin.tolist(), strict=True):
        if side < SLIVER and not bad[row]:
            faults.add("sliver", f"{split.moment(row)}: a side of {side:.4f} of the frame", **split.place(row))


def check_doubled(split: CheckedSplit, faults: Faults) -> None:
    """Rows with the key frame, box and class of an earlier row: each counts in the evaluation, and one can be found."""
    table = split.table
    if not len(table):
        return
    columns = np.column_stack([table.key_frame, table.boxes.view(np.int64).reshape(-1, 4), table.label])
    _, first, number = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    for row in np.flatnonzero(first[number.ravel()] != np.arange(len(table))).tolist():
        earlier = int(first[number.ravel()[row]])
        where = f"line {split.line[earlier]}" if split.line[earlier] else "an earlier row"
        if split.file[earlier] != split.file[row]:
            where += f" of {split.files[split.file[earlier]]}"
        faults.add(
            "doubled row", f"{split.moment(row)}: the same box and class as {where} ({split.name})", **split.place(row)
        )


def check_seconds(split: CheckedSplit, faults: Faults) -> None:
    """Key frames outside the seconds that count."""
    table = split.table
    if split.valid is None or not len(table):
        return
    first, last = split.valid
    outside = (table.timestamp < first) | (table.timestamp > last)
    frames = len(np.unique(table.key_frame[outside]))
    if not frames:
        return
    row = int(np.flatnonzero(outside)[0])
    whole = bool(outside.all())
    seconds = f"seconds {table.timestamp.min():g} to {table.timestamp.max():g}"
    advice = (
        "; for other videos than AVA's set AVA.VALID_SECONDS [] (any second) and AVA.FIRST_SECOND to the second that is "
        "the start of a video file (0 for most)"
    )
    faults.add(
        "seconds that count" if whole else "outside the seconds",
        f"{split.name}: {frames} key frames are outside {first:g} to {last:g} (AVA.VALID_SECONDS); the file has {seconds}"
        + (advice if whole else ""),
        **split.place(row),
        count=1 if whole else frames,
    )


def check_classes(split: CheckedSplit, label_map: LabelMap, faults: Faults, *, ignore_unknown: bool) -> None:
    """Ids that the label map lacks, classes of it without a row, classes that are evaluated and not learned."""
    table = split.table
    acts = rows_with_action(table)
    unknown = acts & (label_map.to_index(table.label) < 0)
    for class_id in np.unique(table.label[unknown]).tolist():
        rows = np.flatnonzero(unknown & (table.label == class_id))
        reason = (
            f"class id {class_id} is not one of the label map's {label_map.num_classes} (ids {min(label_map.ids)} to "
            f"{max(label_map.ids)}): {len(rows)} row{'s' if len(rows) > 1 else ''} of {split.name}"
        )
        kind = "ignored class" if ignore_unknown else "unknown class"
        faults.add(kind, reason, **split.place(int(rows[0])), count=len(rows))
    evaluated = split.eval_label_map or label_map
    for name, count in Counter(label_map.names).items():
        if count > 1:
            faults.add(
                "doubled name", f"{split.name}: {count} classes of the label map are called {name!r}: which is which?"
            )
    for class_id, name in zip(evaluated.ids, evaluated.names, strict=True):
        if class_id not in label_map.ids:
            faults.add("evaluated class", f"class {class_id} ({name}) is evaluated, and the model's label map lacks it")
    if split.name != "train" and len(table) and not acts.any():
        faults.add(
            "not annotated",
            f"{split.name}: no row has a class, so there is no mAP: a run leaves its detections (detections.csv)",
        )
        return
    wanted = label_map if split.name == "train" else evaluated
    there = np.unique(table.label[acts])
    gone = [f"{i} ({name})" for i, name in zip(wanted.ids, wanted.names, strict=True) if i not in there]
    if gone:
        what = "nothing to learn them from" if split.name == "train" else "they have no AP and do not enter the mAP"
        shown = ", ".join(gone[:_SHOWN]) + (f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else "")
        faults.add("class without samples", f"{split.name}: {shown}: {what}", count=len(gone))


def check_exclusions(split: CheckedSplit, faults: Faults) -> None:
    """How many key frames are excluded, and excluded ones that no annotation names."""
    if not split.exclusions or not len(split.table):
        return
    names = split.table.videos
    table = split.table
    pairs = zip(table.video.tolist(), table.timestamp.tolist(), strict=True)
    there = {(names[video], time) for video, time in pairs}
    hit = split.exclusions & there
    videos = {video for video, _ in split.exclusions}
    if hit:
        faults.add("excluded", f"{split.name}: {len(hit)} annotated key frames are excluded", count=len(hit))
    if idle := split.exclusions - there:
        known = len(videos & set(names))
        faults.add(
            "exclusion",
            f"{split.name}: {len(idle)} of {len(split.exclusions)} excluded key frames are on no annotated key frame "
            f"({known} of their {len(videos)} videos are annotated)",
            count=len(idle),
        )


def check_shared(splits: Sequence[CheckedSplit], faults: Faults) -> None:
    """Videos that are both trained on and tested."""
    if len(splits) != 2:
        return
    first, second = (set(np.array(s.table.videos, dtype=object)[np.unique(s.table.video)]) for s in splits)
    shared = sorted(first & second)
    report_shared(shared, [split.name for split in splits], faults)


def report_shared(shared: Sequence[str], names: Sequence[str], faults: Faults) -> None:
    """Tell of videos that are in both splits."""
    if not shared:
        return
    some = ", ".join(shared[:_SHOWN]) + (", ..." if len(shared) > _SHOWN else "")
    faults.add(
        "shared video",
        f"{len(shared)} videos are in {names[0]} and in {names[1]}, so the result will be too good: {some}",
        count=len(shared),
    )
