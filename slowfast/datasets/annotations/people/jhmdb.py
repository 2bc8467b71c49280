"""JHMDB-21: every frame of 928 short clips is a key frame with one person; splits 1 to 3."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slowfast.datasets.annotations.people.key_frames import KeyFrames, build_key_frames
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import open_text

if TYPE_CHECKING:
    import pandas as pd

VIDEOS_FILE, BOXES_FILE = "jhmdb21_videos.csv", "jhmdb21_boxes.csv.gz"
SUBSETS = ("train", "test")


@names_its_file()
def read_jhmdb(root: str | Path, *, split: int, subset: str) -> tuple[KeyFrames, LabelMap, BoxTable]:
    """Annotations of one split from `jhmdb21_videos.csv` and `jhmdb21_boxes.csv.gz` under `root`.

    Timestamps are frame numbers from 1, videos are `class/name`, class ids 1 to 21 follow the sorted class names (of
    the whole set, whatever the split). The files give the first and the last pixel inside the box, counted from 0 (x up
    to 319 and y up to 239 of 320 x 240), so the box on the continuous frame is (x1, y1, x2 + 1, y2 + 1), divided by
    the size of the video.
    Raises FileNotFoundError, or ValueError for an unknown split or subset and for files with other columns.
    """
    table, label_map, _ = read_jhmdb_rows(root, split=split, subset=subset)
    key_frames, _ = build_key_frames(table, label_map, source=str(Path(root) / BOXES_FILE))
    return key_frames, label_map, table


@names_its_file()
def read_jhmdb_rows(root: str | Path, *, split: int, subset: str) -> tuple[BoxTable, LabelMap, np.ndarray]:
    """The rows of one split as they are, unchecked, and the line of each in the boxes file, (R,) int64."""
    root = Path(root)
    videos = _read_videos(root, split, subset)
    boxes = _read(root / BOXES_FILE, ["video", "label", "frame", "x1", "y1", "x2", "y2"])
    boxes["line"] = np.arange(len(boxes)) + 2  # the first names the columns

    names = sorted(boxes["label"].unique())
    label_map = LabelMap(tuple(range(1, len(names) + 1)), tuple(names))
    chosen = videos[videos[f"split{split}"] == subset].sort_values("video").reset_index(drop=True)
    boxes = boxes.merge(chosen.reset_index(names="index")[["video", "index", "height", "width"]], on="video")
    size = boxes[["width", "height"]].to_numpy(np.float64)
    low = boxes[["x1", "y1"]].to_numpy(np.float64) / size
    high = (boxes[["x2", "y2"]].to_numpy(np.float64) + 1) / size
    table = BoxTable(
        videos=tuple(chosen["video"]),
        video=boxes["index"].to_numpy(np.int32),
        timestamp=boxes["frame"].to_numpy(np.int32),
        boxes=np.clip(np.concatenate([low, high], axis=1), 0, 1),
        label=boxes["label"].map({name: i for i, name in enumerate(names, start=1)}).to_numpy(np.int32),
    )
    return table, label_map, boxes["line"].to_numpy(np.int64)


def held_out_videos(videos: Sequence[str], fraction: float) -> frozenset[str]:
    """Which of the training videos (`class/name`) are held out to choose by: of each class the sources whose names hash
    lowest, until at least `fraction` of its videos are out, but never all sources. All clips of a source are on one side.
    """
    sources: dict[str, dict[str, list[str]]] = {}
    for video in videos:
        sources.setdefault(_class_of(video), {}).setdefault(source_of(video), []).append(video)
    held: list[str] = []
    for of_class in sources.values():
        wanted, out = fraction * sum(map(len, of_class.values())), 0
        order = sorted(of_class, key=lambda source: hashlib.sha256(source.encode()).hexdigest())
        for source in order[:-1]:
            if out >= wanted:
                break
            held += of_class[source]
            out += len(of_class[source])
    return frozenset(held)


def source_of(video: str) -> str:
    """The film that a clip was cut from: what stands before its class, "April_09" of
    brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.
    """
    name = video.rpartition("/")[2]
    return name.rpartition(f"_{_class_of(video)}_")[0] or name


@names_its_file()
def read_jhmdb_videos(root: str | Path, *, split: int, subset: str) -> LabelledVideos:
    """The videos of one split, each with its one action; classes in the order of `read_jhmdb`, indices from 0.

    Only `jhmdb21_videos.csv` is read: the action is the folder of a video. Raises as `read_jhmdb`.
    """
    videos = _read_videos(Path(root), split, subset)
    classes = tuple(sorted({_class_of(video) for video in videos["video"]}))
    chosen = tuple(sorted(videos.loc[videos[f"split{split}"] == subset, "video"]))
    if not chosen:
        raise ValueError(f"{Path(root) / VIDEOS_FILE}: no video of split {split} is marked {subset!r}")
    labels = np.array([classes.index(_class_of(video)) for video in chosen], dtype=np.int64)
    return LabelledVideos(chosen, labels, classes)


def _class_of(video: str) -> str:
    return video.partition("/")[0]


def _read_videos(root: Path, split: int, subset: str) -> "pd.DataFrame":
    if split not in (1, 2, 3):
        raise ValueError(f"JHMDB has splits 1, 2 and 3, got {split!r}")
    if subset not in SUBSETS:
        raise ValueError(f"JHMDB subset must be one of {', '.join(SUBSETS)}, got {subset!r}")
    return _read(root / VIDEOS_FILE, ["video", "frames", "height", "width", f"split{split}"])


def _read(path: Path, columns: list[str]) -> "pd.DataFrame":
    import pandas as pd  # for this data set only

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (JHMDB.ANNOTATION_DIR)")
    with open_text(path) as file:
        try:
            frame = pd.read_csv(file)
        except pd.errors.EmptyDataError:
            raise ValueError(f"{path}: the file is empty; expected the columns {columns}") from None
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"{path} lacks the columns {missing}; it has {list(frame.columns)}")
    return frame
