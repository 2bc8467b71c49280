"""AVA's CSVs with a label map: what training reads, what a test leaves (detections), and PySlowFast's frame lists' boxes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from slowfast.preparation.converters.annotations import Annotations, Label, VideoTimes, annotations_of
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable, time_text
from slowfast.structures.annotations.label_map import LabelMap, read_label_map, write_label_map
from slowfast.utils.ava.tables import read_detections_csv, read_groundtruth_csv
from slowfast.utils.files import write_text

LABEL_MAP = "classes.pbtxt"


def read_ava_csv(
    path: Path, videos: VideoTimes, *, label_map: Path, first_second: float = 0, min_score: float = 0.0
) -> Annotations:
    """Annotations, or detections of at least `min_score` (a file whose last column holds scores).

    first_second: the timestamp at the start of a video file
    The rows of one box are one actor. Raises ValueError for files that cannot be read and ids that the map lacks.
    """
    classes = read_label_map(label_map)
    try:
        table = read_groundtruth_csv(path)
    except ValueError as error:
        if "column 8 holds scores" not in str(error):
            raise
        table = read_detections_csv(path)
        table = table.rows(table.scores >= min_score)
    return from_table(table, classes, first_second=first_second, source=str(path))


def from_table(table: BoxTable, classes: LabelMap, *, first_second: float = 0, source: str = "") -> Annotations:
    """Rows of boxes -> labels; the score of an actor is its best row's."""
    names = dict(zip(classes.ids, classes.names, strict=True))
    unknown = sorted(set(table.label.tolist()) - set(names) - {NO_LABEL})
    if unknown:
        raise ValueError(f"{source}: class ids {unknown[:5]} are not in the label map, which has {list(names)[:20]}")
    actors: dict[tuple, list[tuple[str, float]]] = {}
    empty = []
    scores = table.scores.tolist() if table.score is not None else [0.0] * len(table)
    columns = zip(
        table.video.tolist(), table.timestamp.tolist(), table.boxes.tolist(), table.label.tolist(), scores, strict=True
    )
    for video, time, box, label, score in columns:
        key = (table.videos[video], time - first_second)
        if np.isnan(box[0]):
            empty.append(key)
            continue
        found = actors.setdefault((*key, tuple(box)), [])
        if label != NO_LABEL:
            found.append((names[label], score))
    labels = [
        Label(
            video,
            time,
            box,
            tuple(sorted({name for name, _ in does})),
            score=max((score for _, score in does), default=None) if table.score is not None else None,
        )
        for (video, time, box), does in actors.items()
    ]
    return annotations_of(labels, classes.names, empty)


def write_ava_csv(
    annotations: Annotations, path: Path, *, classes: LabelMap | None = None, first_second: float = 0
) -> LabelMap:
    """One CSV in AVA's format; the label map that its ids are of is returned (by default ids from 1, in order).

    A label's actions are a row each; an actor without one has an empty label. Tracks are numbered from 0 in the file.
    """
    classes = classes or LabelMap(tuple(range(1, len(annotations.classes) + 1)), annotations.classes)
    ids = dict(zip(classes.names, classes.ids, strict=True))
    tracks = {name: number for number, name in enumerate(dict.fromkeys((a.video, a.track) for a in annotations.labels))}
    rows = [(video, time, f"{video},{time_text(time + first_second)}") for video, time in annotations.empty]
    for label in annotations.labels:
        start = f"{_quoted(label.video)},{time_text(label.time + first_second)}," + ",".join(
            f"{value:.6f}" for value in label.box
        )
        person = str(tracks[label.video, label.track]) if label.track else ""
        for action in sorted(ids[a] for a in label.actions) or [NO_LABEL]:
            rows.append(
                (
                    label.video,
                    label.time,
                    f"{start},{action},{person}".rstrip(",") if action != NO_LABEL else f"{start},,{person}",
                )
            )
    rows.sort(key=lambda row: row[:2])
    write_text("".join(f"{row}\n" for _, _, row in rows), path)
    return classes


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',"\n') else name


def write_ava(annotations: Annotations, folder: Path, *, test_videos: Sequence[str], first_second: float = 0) -> None:
    """FOLDER/train.csv, test.csv and classes.pbtxt. test_videos: held out; without any there is no test.csv.

    Pairs that mirroring exchanges are kept from a classes.pbtxt that is there: they are written by hand.

    Raises ValueError for a test video without a label, where all videos are, and where nobody does anything.
    """
    gone = sorted(set(test_videos) - set(annotations.videos))
    if gone:
        raise ValueError(f"the test videos {gone} have no annotation; there are {', '.join(annotations.videos[:10])}")
    if not annotations.classes:
        raise ValueError(
            "no box has an action, and training needs a class at least; a spreadsheet names it in a column action, label or "
            "class, a labelling tool in an attribute or label (--actions-from)"
        )
    rest = [video for video in annotations.videos if video not in set(test_videos)]
    if not rest:
        raise ValueError("every video is a test video, and none is left to train on")
    folder.mkdir(parents=True, exist_ok=True)
    classes = write_ava_csv(annotations.of_videos(rest), folder / "train.csv", first_second=first_second)
    if test_videos:
        write_ava_csv(
            annotations.of_videos(test_videos), folder / "test.csv", classes=classes, first_second=first_second
        )
    write_label_map(replace(classes, swaps=_swaps_of(folder / LABEL_MAP, classes)), folder / LABEL_MAP)


def _swaps_of(path: Path, classes: LabelMap) -> tuple[tuple[int, int], ...]:
    """The pairs that a label map names, by the ids of `classes`; those of classes that are gone are not."""
    if not path.is_file():
        return ()
    before = read_label_map(path)
    names = dict(zip(before.ids, before.names, strict=True))
    pairs = [(names[a], names[b]) for a, b in before.swaps if {names[a], names[b]} <= set(classes.names)]
    ids = [sorted(classes.ids_of(pair)) for pair in pairs]
    return tuple((first, second) for first, second in ids)
