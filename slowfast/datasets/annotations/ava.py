"""AVA's official CSVs and label maps -> one split; the toy set and one's own data come in these formats too."""

from collections.abc import Sequence
from pathlib import Path

from slowfast.datasets.annotations.annotated_set import AnnotatedSet
from slowfast.datasets.annotations.key_frames import build_key_frames
from slowfast.structures.label_map import read_label_map
from slowfast.utils.ava_csv import concatenate_tables, read_exclusions_csv, read_groundtruth_csv


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
