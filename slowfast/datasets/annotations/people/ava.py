"""AVA's official CSVs and label maps -> one split; the toy set and one's own data come in these formats too."""

from collections.abc import Sequence
from pathlib import Path

from slowfast.datasets.annotations.people.annotated_set import AnnotatedSet
from slowfast.datasets.annotations.people.key_frames import KeyFrameReport, build_key_frames
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import read_label_map
from slowfast.utils.ava.tables import concatenate_tables, read_exclusions_csv, read_groundtruth_csv


def read_ava(
    annotation_files: Sequence[str | Path],
    *,
    label_map_file: str | Path,
    eval_label_map_file: str | Path,
    exclusion_file: str | Path | None,
    classes: Sequence[int | str] = (),
    valid_seconds: tuple[int, int] | None = None,
) -> AnnotatedSet:
    """Read the official CSVs of a split. `classes` restricts training and evaluation to these, ids or names.

    Raises FileNotFoundError for a missing file and ValueError (file, line, value, rule) for what is wrong in one; an
    action id that the label map lacks is an error unless `classes` restricts it on purpose.
    """
    if not annotation_files:
        raise ValueError("no annotation file is named (AVA.TRAIN_GT_BOX_LISTS)")
    table = concatenate_tables([read_groundtruth_csv(path) for path in annotation_files])
    label_map, eval_label_map = read_label_map(label_map_file), read_label_map(eval_label_map_file)
    parted: list[tuple[str, str]] = []
    if classes:
        try:
            ids = label_map.ids_of(classes)
            parted = label_map.parted_by(ids)
            label_map = label_map.subset(list(ids))
            eval_label_map = eval_label_map.subset([i for i in ids if i in eval_label_map.ids])
        except ValueError as error:
            raise ValueError(f"{label_map_file}: {error} (AVA.CLASSES)") from None
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
        raise ValueError(f"{source}: no key frame is left to use; {_why_none(table, valid_seconds, report)}")
    notes = [f"{source}: {report}"]
    if label_map.swaps:
        names = dict(zip(label_map.ids, label_map.names, strict=True))
        pairs = ", ".join(f"{names[a]} and {names[b]}" for a, b in label_map.swaps)
        notes.append(f"a mirrored clip exchanges {pairs} (the label map)")
    if parted:
        shown = ", ".join(f"{kept} shows {gone}" for kept, gone in parted)
        notes.append(
            f"a mirrored clip of {shown}, left out by AVA.CLASSES, and keeps its label: name both or set DATA.RANDOM_FLIP False"
        )
    return AnnotatedSet(key_frames, table, label_map, eval_label_map, exclusions, tuple(notes))


def _why_none(table: BoxTable, valid_seconds: tuple[int, int] | None, report: KeyFrameReport) -> str:
    """The seconds that the file has beside those that count, and the keys that say so."""
    if valid_seconds is None or not report.out_of_range_key_frames:
        return str(report)
    return (
        f"its seconds are {table.timestamp.min()} to {table.timestamp.max()}, and AVA.VALID_SECONDS is "
        f"[{valid_seconds[0]}, {valid_seconds[1]}], AVA's own. For other videos set AVA.VALID_SECONDS [] (any second) and "
        f"AVA.FIRST_SECOND to the second that is the start of a video file (0 for most); {report}"
    )
