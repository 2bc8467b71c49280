"""The toy AVA data set: drawn people in real H.264 files, annotated in AVA's official formats.

    OUT/videos/toy_0000.mp4 ...                    96 x 120 pixels, 12 frames a second, a cut every two seconds
    OUT/frames/toy_0000/toy_0000_000001.jpg ...    the same as images, where they are asked for instead of videos
    OUT/annotations/toy_{train,val}.csv            video,timestamp,x1,y1,x2,y2,action_id,person_id; or video,timestamp
    OUT/annotations/toy_{train,val}_excluded_timestamps.csv
    OUT/annotations/toy_{train,val}_tracks.csv     every frame: video,second,x1,y1,x2,y2,action_id,person_id; or video,second
    OUT/annotations/toy_action_list.pbtxt
    OUT/manifest.json                              the arguments it was made with

The key frames are the seconds 1, 3, 5, ... of every video, each in the middle between two cuts. Every eighth video is
held out. See toy_people.py for why no single key frame tells a motion.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from slowfast.structures.annotations.label_map import LabelMap, write_label_map
from slowfast.toy.making import claim_folder, make_all
from slowfast.toy.people import FRAME_HEIGHT, FRAME_WIDTH, person_boxes
from slowfast.toy.scene import FPS, FRAME_TIMES, SCENE_SECONDS, Scene, key_boxes, render_scene, sample_scene
from slowfast.utils.files import whole_folder, write_loose, write_text
from slowfast.utils.processes.cores import effective_cores
from slowfast.video.writing.writer import write_video

FORMAT_VERSION = 3  # raise it with every change of what is drawn or annotated
VAL_EVERY = 8  # the 8th, 16th, ... video is held out; with fewer than 8 videos the last one
EXCLUDED_SHARE = 0.015
SMALLEST_SPLIT_WITH_EXCLUSIONS = 10  # key frames
VISIBLE_SHARE = 0.5  # of a box inside the frame, from which on a person is annotated in the tracks

TOY_ACTIONS = LabelMap(
    ids=(1, 2, 5, 8, 9, 11, 14), names=("stand", "sit", "hold ball", "walk left", "walk right", "jump", "wave")
)
APPEARANCE_ACTIONS = ("stand", "sit", "hold ball")  # readable from one frame
MOTION_ACTIONS = ("walk left", "walk right", "jump", "wave")  # not readable from one frame


@dataclass(frozen=True)
class ToyReport:
    """What a call of `make_toy_ava` found and did; key frames count the excluded ones."""

    root: Path
    videos_made: int
    videos_reused: int
    train_key_frames: int
    val_key_frames: int

    def __str__(self) -> str:
        return (
            f"toy AVA in {self.root}: {self.videos_made} videos made, {self.videos_reused} reused; "
            f"{self.train_key_frames} train and {self.val_key_frames} held-out key frames"
        )


def make_toy_ava(
    out: str | Path,
    *,
    videos: int = 120,
    seconds: int = 8,
    seed: int = 0,
    num_workers: int | None = None,
    frames: bool = False,
) -> ToyReport:
    """Make the data set in the folder `out`, or what is missing of it; nothing is done where everything is there.

    videos:      number of files, >= 2; every eighth is held out
    seconds:     length of each, even; seconds / 2 key frames each
    seed:        the same seed makes the same people; each video has its own stream of random numbers
    num_workers: processes that render; None takes the cores at hand, 0 renders in this process
    frames:      folders of JPEG images (AVA.PIXELS frames) and no videos: for a machine without PyAV

    Raises ValueError on impossible arguments, on a folder made with other arguments, and on a folder of something else.
    """
    out = Path(out)
    _check_arguments(videos=videos, seconds=seconds, seed=seed, num_workers=num_workers)
    arguments = {"format_version": FORMAT_VERSION, "videos": videos, "seconds": seconds, "seed": seed}
    claim_folder(out, arguments | ({"frames": True} if frames else {}))
    missing = [i for i in range(videos) if not _pixels_path(out, i, frames).exists()]
    annotated = all(path.is_file() for path in _annotation_paths(out / "annotations"))
    jobs = [(str(_pixels_path(out, i, frames)), seed, i, seconds) for i in (missing if annotated else range(videos))]
    workers = effective_cores().count if num_workers is None else num_workers
    made = make_all(_make_video, jobs, num_workers=workers, what="toy videos")
    held_out = [is_held_out(i, videos) for i in range(videos)]
    if not annotated:
        splits: dict[str, list[str]] = {"train": [], "val": []}
        tracks: dict[str, list[str]] = {"train": [], "val": []}
        for i, (rows, tracked) in enumerate(made):
            splits["val" if held_out[i] else "train"] += rows
            tracks["val" if held_out[i] else "train"] += tracked
        _write_annotations(out / "annotations", splits, tracks, seed=seed)
    per_video = seconds // SCENE_SECONDS
    return ToyReport(
        root=out,
        videos_made=len(missing),
        videos_reused=videos - len(missing),
        train_key_frames=held_out.count(False) * per_video,
        val_key_frames=held_out.count(True) * per_video,
    )


def video_name(index: int) -> str:
    return f"toy_{index:04d}"


def is_held_out(index: int, videos: int) -> bool:
    """Whether video `index` of `videos` belongs to the val split."""
    return index == videos - 1 if videos < VAL_EVERY else index % VAL_EVERY == VAL_EVERY - 1


def video_scenes(index: int, *, seed: int, seconds: int) -> list[Scene]:
    """The scenes of one video in order; scene k covers seconds 2k .. 2k + 2, its key frame is second 2k + 1."""
    rng = np.random.default_rng([seed, index])
    return [sample_scene(rng) for _ in range(seconds // SCENE_SECONDS)]


def annotation_rows(name: str, scenes: list[Scene]) -> list[str]:
    """The lines of one video for an AVA CSV, in order of time, person, action id."""
    ids = dict(zip(TOY_ACTIONS.names, TOY_ACTIONS.ids, strict=True))
    size = np.array([FRAME_WIDTH, FRAME_HEIGHT, FRAME_WIDTH, FRAME_HEIGHT])
    rows, person_id = [], 0
    for k, scene in enumerate(scenes):
        key_frame = f"{name},{SCENE_SECONDS * k + 1:04d}"
        if not scene.people:
            rows.append(key_frame)
        for person, box in zip(scene.people, key_boxes(scene) / size, strict=True):
            corners = ",".join(f"{v:.4f}" for v in box)
            rows += [f"{key_frame},{corners},{i},{person_id}" for i in sorted(ids[a] for a in person.actions)]
            person_id += 1
    return rows


def track_rows(name: str, scenes: list[Scene]) -> list[str]:
    """The lines of one video for its tracks: who is where on every frame, boxes cut at the edges of the frame.

    Persons are numbered as in `annotation_rows`. Whoever is more than half outside the frame is left out there.
    """
    ids = dict(zip(TOY_ACTIONS.names, TOY_ACTIONS.ids, strict=True))
    size = np.array([FRAME_WIDTH, FRAME_HEIGHT, FRAME_WIDTH, FRAME_HEIGHT])
    rows, first = [], 0
    for k, scene in enumerate(scenes):
        boxes = [person_boxes(person, FRAME_TIMES) / size for person in scene.people]
        for i, time in enumerate(FRAME_TIMES):
            frame = f"{name},{SCENE_SECONDS * k + SCENE_SECONDS / 2 + time:.4f}"
            seen = []
            for number, (person, whole) in enumerate(zip(scene.people, boxes, strict=True), start=first):
                box = whole[i].clip(0, 1)
                if np.prod(box[2:] - box[:2]) < VISIBLE_SHARE * np.prod(whole[i, 2:] - whole[i, :2]):
                    continue
                corners = ",".join(f"{v:.4f}" for v in box)
                seen += [f"{frame},{corners},{action},{number}" for action in sorted(ids[a] for a in person.actions)]
            rows += seen or [frame]
        first += len(scene.people)
    return rows


def _check_arguments(*, videos: int, seconds: int, seed: int, num_workers: int | None) -> None:
    problems = []
    if videos < 2:
        problems.append(f"videos ({videos}) must be at least 2: one to train on, one held out")
    if seconds < SCENE_SECONDS or seconds % SCENE_SECONDS:
        problems.append(f"seconds ({seconds}) must be even and at least 2: a scene takes 2 seconds")
    if seed < 0:
        problems.append(f"seed ({seed}) must not be negative")
    if num_workers is not None and num_workers < 0:
        problems.append(f"num_workers ({num_workers}) must not be negative; 0 renders in this process")
    if problems:
        raise ValueError("cannot make the toy data set: " + "; ".join(problems))


def _pixels_path(out: Path, index: int, frames: bool) -> Path:
    """The file of a video, or the folder of its images."""
    return out / "frames" / video_name(index) if frames else out / "videos" / f"{video_name(index)}.mp4"


def _annotation_paths(folder: Path) -> list[Path]:
    tails = ("", "_excluded_timestamps", "_tracks")
    tables = [f"toy_{split}{tail}.csv" for split in ("train", "val") for tail in tails]
    return [folder / name for name in (*tables, "toy_action_list.pbtxt")]


def _make_video(path: str, seed: int, index: int, seconds: int) -> tuple[list[str], list[str]]:
    """Render one video unless it is there; returns its annotation rows and those of its tracks."""
    cv2.setNumThreads(1)  # one process a core already
    scenes = video_scenes(index, seed=seed, seconds=seconds)
    if not Path(path).exists():
        pictures = (frame for scene in scenes for frame in render_scene(scene))
        if Path(path).suffix:
            write_video(pictures, path, FPS)
        else:
            _write_images(pictures, Path(path))
    return annotation_rows(video_name(index), scenes), track_rows(video_name(index), scenes)


def _write_images(pictures: Iterable[np.ndarray], folder: Path) -> None:
    """RGB pictures (H, W, 3) uint8 as PySlowFast numbers them, from 1 on; the folder is whole or absent."""
    with whole_folder(folder) as unfinished:
        for number, picture in enumerate(pictures, start=1):
            _, content = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            write_loose(content.tobytes(), unfinished / f"{folder.name}_{number:06d}.jpg")


def _write_annotations(folder: Path, splits: dict[str, list[str]], tracks: dict[str, list[str]], *, seed: int) -> None:
    """Write the CSVs of `splits` and `tracks` (name -> rows), their exclusions and the label map."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in tracks.items():
        write_text("".join(f"{row}\n" for row in rows), folder / f"toy_{split}_tracks.csv")
    for number, (split, rows) in enumerate(splits.items()):
        key_frames = list(dict.fromkeys(",".join(row.split(",")[:2]) for row in rows))
        excluded = [f"{key_frames[0].split(',')[0]},0000"]  # no key frame: a small split loses none
        if len(key_frames) >= SMALLEST_SPLIT_WITH_EXCLUSIONS:
            rng = np.random.default_rng([seed, number, len(key_frames)])
            count = max(1, round(EXCLUDED_SHARE * len(key_frames)))
            excluded = [key_frames[i] for i in sorted(rng.choice(len(key_frames), size=count, replace=False))]
        write_text("".join(f"{row}\n" for row in rows), folder / f"toy_{split}.csv")
        write_text("".join(f"{row}\n" for row in excluded), folder / f"toy_{split}_excluded_timestamps.csv")
    write_label_map(TOY_ACTIONS, folder / "toy_action_list.pbtxt")
