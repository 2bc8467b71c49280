"""UCF101-24 and JHMDB-21 from the field's pickles: every person with an action as a tube of boxes, frame by frame.

Two layouts are read, gzipped or not, through a restricted unpickler:

ACT / MOC (`UCF101v2-GT.pkl`, `JHMDB-GT.pkl`), a dict
    labels: class names; gttubes: {video: {class index: [(n, 5) frame, x1, y1, x2, y2]}}; nframes: {video: count};
    resolution: {video: (height, width)}; train_videos, test_videos: a list of names per split.
    Frames count from 1; x1 to y2 are the first and last pixel inside, counted from 0: on the continuous frame the box
    is (x1, y1, x2 + 1, y2 + 1), for which the plain IoU is what ACT computes with its "+ 1".

pyannot (corrected UCF101-24 annotations, `pyannot_with_class_names.pkl`), a dict
    classes: names; trainvideos: names;
    db: {video: {numf, label, annotations: [{label, sf, ef, boxes: (n, 4) x, y, width, height}]}}
    Frames sf to ef - 1, counted from 0. Boxes are pixels of 320 x 240 in small unsigned integers, whatever the size of
    the video files (some copies are 340 x 256): they are widened before x + w, and divided by 320 and 240.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from slowfast.datasets.annotations.people.key_frames import KeyFrames, build_key_frames
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable, key_frame_codes
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.annotations.problem import Problem, raise_or_collect
from slowfast.structures.annotations.tube import Tube
from slowfast.utils.reading import names_its_file, reading
from slowfast.utils.restricted_pickle import read_pickle

SUBSETS = ("train", "test")
MAX_FRAMES = 10_000_000  # of a video: four days at 30 a second
FRAMES = ("every", "annotated")
PYANNOT_SIZE = (240, 320)  # height and width of the frames its boxes were drawn on
_ACT_KEYS = ("labels", "gttubes", "nframes", "resolution", "train_videos", "test_videos")
_PYANNOT_KEYS = ("db", "classes", "trainvideos")


@dataclass(frozen=True)
class TubeSet:
    """One subset of one split.

    videos:     names, sorted
    num_frames: how many frames each has, in their order
    tubes:      all people with an action, by video, then class, then first frame
    """

    videos: tuple[str, ...]
    num_frames: tuple[int, ...]
    tubes: tuple[Tube, ...]
    label_map: LabelMap
    source: str

    def table(self, *, frames: str) -> BoxTable:
        """A row per box; with `frames` "every" also one for each frame without anybody, to list it as a key frame."""
        if frames not in FRAMES:
            raise ValueError(f"frames must be one of {', '.join(FRAMES)}, got {frames!r}")
        table = table_of_tubes(self.tubes, self.videos)
        if frames == "annotated":
            return table
        video = np.repeat(np.arange(len(self.videos)), self.num_frames)
        frame = np.concatenate([np.arange(1, count + 1) for count in self.num_frames])
        empty = ~np.isin(key_frame_codes(video, frame), table.key_frame)
        count = int(empty.sum())
        return BoxTable(
            self.videos,
            np.concatenate([table.video, video[empty].astype(np.int32)]),
            np.concatenate([table.timestamp, frame[empty].astype(np.int32)]),
            np.concatenate([table.boxes, np.full((count, 4), np.nan)]),
            np.concatenate([table.label, np.full(count, NO_LABEL, dtype=np.int32)]),
        )

    def key_frames(self, *, frames: str) -> KeyFrames:
        """The same, as clips are sampled: a person with two actions, two tubes of equal boxes, is one person here."""
        return build_key_frames(self.table(frames=frames), self.label_map, source=self.source)[0]


def table_of_tubes(tubes: Iterable[Tube], videos: tuple[str, ...]) -> BoxTable:
    """Tubes -> a row per box; `score` holds the frame scores where every tube has them."""
    tubes = list(tubes)
    index = {name: i for i, name in enumerate(videos)}
    lengths = [len(tube) for tube in tubes]
    scored = bool(tubes) and all(tube.scores is not None for tube in tubes)
    return BoxTable(
        videos,
        np.repeat(np.array([index[tube.video] for tube in tubes], dtype=np.int32), lengths),
        np.concatenate([np.zeros(0, np.int32), *(tube.frames for tube in tubes)]).astype(np.int32),
        np.concatenate([np.zeros((0, 4)), *(tube.boxes for tube in tubes)]),
        np.repeat(np.array([tube.label for tube in tubes], dtype=np.int32), lengths),
        np.concatenate([tube.scores for tube in tubes]) if scored else None,
    )


def tubes_of_table(table: BoxTable) -> tuple[Tube, ...]:
    """The tubes of a set in which each class has at most one person a frame (JHMDB-21): a tube per video and class.

    Raises ValueError where a class has two boxes on one frame: which belongs to whom cannot be known.
    """
    rows = np.flatnonzero(table.label != NO_LABEL)
    rows = rows[np.lexsort((table.timestamp[rows], table.label[rows], table.video[rows]))]
    video, label, frame = table.video[rows], table.label[rows], table.timestamp[rows]
    same = (np.diff(video) == 0) & (np.diff(label) == 0)
    twice = np.flatnonzero(same & (np.diff(frame) == 0))
    if len(twice):
        where = f"video {table.videos[video[twice[0]]]!r}, frame {frame[twice[0]]}"
        raise ValueError(f"{where} has two boxes of class {label[twice[0]]}: without person ids they are no tubes")
    pieces = np.split(rows, np.flatnonzero(~same) + 1) if len(rows) else []
    tubes = [
        Tube(table.videos[table.video[p[0]]], int(table.label[p[0]]), table.timestamp[p], table.boxes[p])
        for p in pieces
    ]
    return tuple(sorted(tubes, key=_tube_order))


@names_its_file()
def read_tubes(
    path: str | Path, *, split: int = 1, subset: str = "test", problems: list[Problem] | None = None
) -> TubeSet:
    """One subset of one split from a pickle of either layout.

    problems: a list for every tube with a box without area or outside the frame; such tubes are left out
    Raises FileNotFoundError, or ValueError naming the file and what it lacks, for a split it does not have, and for
    boxes without area or outside the frame where there is no list for them.
    """
    path = Path(path)
    if subset not in SUBSETS:
        raise ValueError(f"the subset must be one of {', '.join(SUBSETS)}, got {subset!r}")
    content = read_pickle(path)
    if isinstance(content, dict) and all(key in content for key in _ACT_KEYS):
        read = _read_act
    elif isinstance(content, dict) and all(key in content for key in _PYANNOT_KEYS):
        read = _read_pyannot
    else:
        found = sorted(map(str, content))[:8] if isinstance(content, dict) else type(content).__name__
        raise ValueError(
            f"{path}: neither an ACT pickle (keys {', '.join(_ACT_KEYS)}) nor a pyannot pickle (keys "
            f"{', '.join(_PYANNOT_KEYS)}); it holds {found}"
        )
    with reading(path, "the annotations are not laid out as expected"):
        tube_set = read(content, split, subset, str(path))
    if not tube_set.tubes:
        raise ValueError(f"{path}: split {split} {subset} holds no annotated person")
    good = tuple(tube for tube in tube_set.tubes if _is_good(tube, path, problems))
    return tube_set if len(good) == len(tube_set.tubes) else replace(tube_set, tubes=good)


def _read_act(content: dict[str, Any], split: int, subset: str, source: str) -> TubeSet:
    splits = content[f"{subset}_videos"]
    if not 1 <= split <= len(splits):
        raise ValueError(f"{source}: has splits 1 to {len(splits)}, got {split}")
    videos = tuple(sorted(map(str, splits[split - 1])))
    tubes = []
    for video in videos:
        height, width = content["resolution"][video]
        for class_index, pieces in content["gttubes"][video].items():
            for piece in pieces:
                corners = np.asarray(piece, dtype=np.float64)[:, 1:5] + [0, 0, 1, 1]
                frames = np.asarray(piece)[:, 0].astype(np.int32)
                tubes.append(Tube(video, int(class_index) + 1, frames, corners / [width, height, width, height]))
    lengths = tuple(_frames(video, content["nframes"][video]) for video in videos)
    return _tube_set(videos, lengths, tubes, content["labels"], source)


def _read_pyannot(content: dict[str, Any], split: int, subset: str, source: str) -> TubeSet:
    if split != 1:
        raise ValueError(f"{source}: has split 1 only, got {split}")
    database = {str(name): entry for name, entry in content["db"].items()}
    training = set(map(str, content["trainvideos"]))
    videos = tuple(sorted(name for name in database if (name in training) == (subset == "train")))
    height, width = PYANNOT_SIZE
    tubes = []
    for video in videos:
        for annotation in database[video]["annotations"]:
            boxes = np.asarray(annotation["boxes"]).astype(np.float64)  # uint8: x + w would start again at 0
            boxes[:, 2:] += boxes[:, :2]
            first, end = _frames(video, annotation["sf"]), _frames(video, annotation["ef"])
            frames = np.arange(first, end, dtype=np.int32) + 1
            tubes.append(Tube(video, int(annotation["label"]) + 1, frames, boxes / [width, height, width, height]))
    lengths = tuple(_frames(video, database[video]["numf"]) for video in videos)
    return _tube_set(videos, lengths, tubes, content["classes"], source)


def _frames(video: str, number: Any) -> int:
    """A number of frames; a damaged one would fill the memory."""
    if not 0 <= int(number) <= MAX_FRAMES:
        raise ValueError(f"{video} has {int(number)} frames or a tube that goes so far; 0 to {MAX_FRAMES} are read")
    return int(number)


def _tube_set(
    videos: tuple[str, ...], lengths: tuple[int, ...], tubes: list[Tube], names: list, source: str
) -> TubeSet:
    label_map = LabelMap(tuple(range(1, len(names) + 1)), tuple(map(str, names)))
    for tube in tubes:
        if not 1 <= tube.label <= len(names):
            raise ValueError(f"{tube.video} has a person of class {tube.label - 1}, and there are {len(names)} classes")
    return TubeSet(videos, lengths, tuple(sorted(tubes, key=_tube_order)), label_map, source)


def _tube_order(tube: Tube) -> tuple:
    return (tube.video, tube.label, int(tube.frames[0]), *tube.boxes[0].tolist())


def _is_good(tube: Tube, path: Path, problems: list[Problem] | None) -> bool:
    boxes = tube.boxes
    bad = ~((boxes >= 0) & (boxes <= 1)).all(axis=1) | (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
    if not bad.any() and tube.frames[0] >= 1:
        return True
    row = int(np.argmax(bad)) if bad.any() else 0
    reason = (
        f"{tube.video}, frame {tube.frames[row]}: box {boxes[row].round(4).tolist()} (as fractions of the "
        "frame) must lie inside the frame and have an area, and frames count from 1"
    )
    raise_or_collect(Problem(str(path), 0, reason, "box outside"), problems)
    return False
