"""The field's pickles of JHMDB-21 and UCF101-24, and JHMDB's puppet masks: as labels in time, and as the CSVs that
`TRAIN.DATASET jhmdb` reads.

Pickles are of frames from 1; a label's second is the time of that frame in the video file. Tried on the real pickles.
"""

import csv
import gzip
import io
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slowfast.datasets.annotations.people.jhmdb import BOXES_FILE, VIDEOS_FILE
from slowfast.datasets.annotations.people.tubes import SUBSETS, TubeSet, read_tubes
from slowfast.preparation.converters.annotations import Annotations, Label, VideoTimes, annotations_of
from slowfast.utils.files import write_bytes, write_text
from slowfast.utils.restricted_pickle import read_pickle

MASK_FILE = "puppet_mask.mat"
_SHOWN = 5


def read_tube_pickle(path: Path, videos: VideoTimes, *, split: int = 1) -> Annotations:
    """Both subsets of one split. Boxes on frames that a video does not have are left out, and a note counts them.

    Raises as `read_tubes`.
    """
    labels: list[Label] = []
    classes: tuple[str, ...] = ()
    beyond: dict[str, int] = {}
    for subset in SUBSETS:
        tube_set: TubeSet = read_tubes(path, split=split, subset=subset)
        names = dict(zip(tube_set.label_map.ids, tube_set.label_map.names, strict=True))
        classes = tube_set.label_map.names
        for number, tube in enumerate(tube_set.tubes):
            timing = videos.of(tube.video)
            for frame, box in zip(tube.frames.tolist(), tube.boxes.tolist(), strict=True):
                if frame > len(timing.times):
                    beyond[tube.video] = beyond.get(tube.video, 0) + 1
                    continue
                second = timing.second_of(frame - 1)
                labels.append(Label(tube.video, second, tuple(box), (names[tube.label],), f"{subset} {number}"))
    found = annotations_of(labels, classes)
    if not beyond:
        return found
    some = ", ".join(f"{count} of {video}" for video, count in list(beyond.items())[:_SHOWN])
    told = f"{path}: {sum(beyond.values())} boxes are on frames beyond the ends of {len(beyond)} videos: {some}"
    return replace(found, notes=(told,))


def write_tube_pickle(
    annotations: Annotations, path: Path, videos: VideoTimes, *, test_videos: Sequence[str] = ()
) -> None:
    """ACT's layout, as `UCF101v2-GT.pkl`, with one split: a tube for each track and action, a box for each frame of it.

    test_videos: the test part; the rest is the training part. Of labels on one frame the first counts. Actors without an
    action, frames with nobody and scores have no place in it.
    Raises ValueError for a test video without a label, where one of the parts would be empty, which readers refuse, and
    where two boxes of a class on one frame have no track.
    """
    gone = sorted(set(test_videos) - set(annotations.videos))
    if gone:
        raise ValueError(f"the test videos {gone} have no annotation; there are {', '.join(annotations.videos[:10])}")
    if not set(test_videos) or set(test_videos) == set(annotations.videos):
        raise ValueError(
            f"a pickle of tubes has a training and a test part: name some of {', '.join(annotations.videos[:10])} with "
            "--test-video, not none and not all"
        )
    boxes: dict[str, dict[tuple[int, str], dict[int, list[float]]]] = {video: {} for video in annotations.videos}
    for label in annotations.labels:
        timing = videos.of(label.video)
        height, width = timing.size
        frame = timing.frame_at(label.time) + 1
        x1, y1, x2, y2 = label.box
        box = [frame, x1 * width, y1 * height, x2 * width - 1, y2 * height - 1]
        for action in label.actions:
            tube = boxes[label.video].setdefault((annotations.classes.index(action), label.track), {})
            if frame in tube and not label.track:
                raise ValueError(
                    f"video {label.video!r}, second {label.time:g}: two boxes of {action!r} without a track; tubes need one"
                )
            tube.setdefault(frame, box)
    tubes: dict[str, dict[int, list[np.ndarray]]] = {}
    for video, of_video in boxes.items():
        tubes[video] = {}
        for (number, _), rows in sorted(of_video.items()):
            tubes[video].setdefault(number, []).append(np.array([rows[frame] for frame in sorted(rows)]))
    content = {
        "labels": list(annotations.classes),
        "gttubes": tubes,
        "nframes": {video: len(videos.of(video).times) for video in annotations.videos},
        "resolution": {video: videos.of(video).size for video in annotations.videos},
        "train_videos": [[video for video in annotations.videos if video not in set(test_videos)]],
        "test_videos": [[video for video in annotations.videos if video in set(test_videos)]],
    }
    write_bytes(pickle.dumps(content, protocol=2), path)


# ------------------------------------------------------------------------------------------------- JHMDB-21's CSVs


@dataclass(frozen=True)
class JhmdbVideo:
    """name: CLASS/VIDEO; part: "train" or "test" in splits 1 to 3, "" in none; boxes: {frame from 1: first and last pixel
    inside, x1, y1, x2, y2, counted from 0}."""

    name: str
    frames: int
    size: tuple[int, int]
    parts: tuple[str, str, str]
    boxes: dict[int, tuple[int, int, int, int]]


def jhmdb_from_pickle(path: Path) -> list[JhmdbVideo]:
    """From `JHMDB-GT.pkl`. Raises ValueError where it is no ACT pickle of three splits."""
    content = read_pickle(path)
    needed = ("gttubes", "nframes", "resolution", "train_videos", "test_videos")
    if not isinstance(content, dict) or not set(needed) <= set(content) or len(content["train_videos"]) != 3:
        raise ValueError(f"{path}: expected JHMDB-GT.pkl with {', '.join(needed)} of three splits")
    found = []
    for name, tubes in content["gttubes"].items():
        parts = tuple(
            next((subset for subset in SUBSETS if name in set(content[f"{subset}_videos"][k])), "") for k in range(3)
        )
        boxes = {
            int(row[0]): (round(row[1]), round(row[2]), round(row[3]), round(row[4]))
            for pieces in tubes.values()
            for piece in pieces
            for row in np.asarray(piece).tolist()
        }
        size = tuple(content["resolution"][name])
        found.append(JhmdbVideo(str(name), int(content["nframes"][name]), (size[0], size[1]), parts, boxes))  # type: ignore[arg-type]
    return sorted(found, key=lambda video: video.name)


def jhmdb_from_masks(masks: Path, splits: Path) -> list[JhmdbVideo]:
    """From the authors' archives: puppet_mask/CLASS/VIDEO/puppet_mask.mat, and splits/CLASS_test_split1.txt ("VIDEO.avi 1"
    is training, 2 test). A box is the first and the last pixel of its mask; a frame with an empty mask has none.

    Raises FileNotFoundError, ValueError for a file without "part_mask", and ImportError where scipy is missing.
    """
    from scipy.io import loadmat

    parts: dict[str, list[str]] = {}
    for number in range(3):
        files = sorted(splits.glob(f"*_test_split{number + 1}.txt"))
        if not files:
            raise FileNotFoundError(f"{splits}: no CLASS_test_split{number + 1}.txt in it")
        for name, part in _split_lines(files, number + 1):
            parts.setdefault(name, ["", "", ""])[number] = part
    found = []
    for path in sorted(masks.glob(f"*/*/{MASK_FILE}")):
        name = f"{path.parent.parent.name}/{path.parent.name}"
        content = loadmat(str(path), variable_names=["part_mask"])
        if "part_mask" not in content:
            raise ValueError(f"{path}: holds no part_mask")
        mask = content["part_mask"]  # (H, W, N)
        boxes = {frame + 1: box for frame in range(mask.shape[2]) if (box := box_of_mask(mask[:, :, frame]))}
        one, two, three = parts.get(name, ["", "", ""])
        found.append(JhmdbVideo(name, mask.shape[2], (mask.shape[0], mask.shape[1]), (one, two, three), boxes))
    if not found:
        raise FileNotFoundError(f"{masks}: no CLASS/VIDEO/{MASK_FILE} in it")
    return found


def _split_lines(files: list[Path], number: int) -> Iterator[tuple[str, str]]:
    for file in files:
        class_name = file.name.removesuffix(f"_test_split{number}.txt")
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.strip():
                video, _, part = line.strip().rpartition(" ")
                yield f"{class_name}/{video.strip().removesuffix('.avi')}", {"1": "train", "2": "test"}.get(part, "")


def box_of_mask(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """(H, W) -> first and last pixel that is not 0: x1, y1, x2, y2 from 0; None for an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return (int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1]))


def write_jhmdb(found: list[JhmdbVideo], folder: Path) -> None:
    """`jhmdb21_videos.csv` and `jhmdb21_boxes.csv.gz` as `read_jhmdb` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    videos, boxes = io.StringIO(), io.StringIO()
    listing, rows = csv.writer(videos, lineterminator="\n"), csv.writer(boxes, lineterminator="\n")
    listing.writerow(["video", "frames", "height", "width", "split1", "split2", "split3"])
    rows.writerow(["video", "label", "frame", "x1", "y1", "x2", "y2"])
    for video in found:
        listing.writerow([video.name, video.frames, *video.size, *video.parts])
        rows.writerows(
            [video.name, video.name.partition("/")[0], frame, *box] for frame, box in sorted(video.boxes.items())
        )
    write_text(videos.getvalue(), folder / VIDEOS_FILE)
    write_bytes(gzip.compress(boxes.getvalue().encode(), mtime=0), folder / BOXES_FILE)
