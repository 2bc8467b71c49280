"""The toy Kinetics set: short H.264 files whose classes need time, in folders of classes and in PySlowFast's lists.

    OUT/{train,val}/CLASS/CLASS_0000.mp4 ...   80 x 80 pixels, 12 frames a second
    OUT/{train,val,test}.csv                   a line `PATH LABEL` per video, PATH from OUT on; test is val
    OUT/labels.txt                             a name per class in the order of the labels, which is that of the alphabet
    OUT/README.txt                             what this is
    OUT/manifest.json                          the arguments it was made with

Scene k makes one video of every class: the same figures in front of the same wall, in the same places in the middle of
the video. So they do not tell the class, and every class is equally frequent. Every fifth scene is held out. See
moves.py for why no single frame tells a class.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from slowfast.toy.making import claim_folder, make_all
from slowfast.toy.moves import FPS, MOVES, PARTNERS, MovingScene, frame_times, render, sample_scene
from slowfast.utils.files import write_text
from slowfast.utils.processes.cores import effective_cores
from slowfast.video.writing.writer import write_video

FORMAT_VERSION = 1  # raise it with every change of what is drawn or listed
VAL_EVERY = 5  # the 5th, 10th, ... figure is held out; with fewer than 5 figures the last one

README = """\
A toy set for the classification of videos, made by `python tools/make_toy_kinetics.py`, with drawn figures only.

{count} videos of {seconds} s, {classes} classes; labels.txt names them in the order of their labels.
No single frame tells a class: place, size and angle of the figure have one distribution at any time, whatever it does.
{pairs}
train.csv, val.csv and test.csv (the same as val.csv) hold a line `PATH LABEL` per video; paths start here:

    python tools/run_net.py --cfg configs/Toy/MViT_toy_kinetics.yaml DATA.PATH_TO_DATA_DIR HERE DATA.PATH_PREFIX HERE

The folders train/CLASS and val/CLASS hold the same videos for readers of folders. manifest.json: how this was made.
Mirroring a video changes its class (DATA.RANDOM_FLIP False).
"""


@dataclass(frozen=True)
class ToyVideosReport:
    """What a call of `make_toy_kinetics` found and did."""

    root: Path
    classes: int
    videos_made: int
    videos_reused: int
    train_videos: int
    val_videos: int

    def __str__(self) -> str:
        return (
            f"toy Kinetics in {self.root}: {self.videos_made} videos made, {self.videos_reused} reused; "
            f"{self.classes} classes, {self.train_videos} train and {self.val_videos} held-out videos"
        )


@dataclass(frozen=True)
class ToyVideo:
    """One file of the set: `path` from the folder of the set on, with '/'; `scene` is the number of its scene."""

    path: str
    split: str
    move: str
    label: int
    scene: int


def make_toy_kinetics(
    out: str | Path,
    *,
    videos: int = 960,
    seconds: int = 2,
    seed: int = 0,
    classes: Sequence[str] = tuple(MOVES),
    num_workers: int | None = None,
) -> ToyVideosReport:
    """Make the data set in the folder `out`, or what is missing of it; nothing is done where everything is there.

    videos:      number of files: a multiple of the number of classes, at least twice that number
    seconds:     length of each, >= 1
    seed:        the same seed makes the same scenes; each scene has its own stream of random numbers
    classes:     names of MOVES, at least 2; labels follow the alphabet, not the order here
    num_workers: processes that render; None takes the cores at hand, 0 renders in this process

    Raises ValueError on impossible arguments, on a folder made with other arguments, and on a folder of something else.
    """
    out = Path(out)
    _check_arguments(videos=videos, seconds=seconds, seed=seed, classes=classes, num_workers=num_workers)
    names = sorted(classes)
    arguments = {"videos": videos, "seconds": seconds, "seed": seed, "classes": names}
    claim_folder(out, {"format_version": FORMAT_VERSION, **arguments}, kind="toy Kinetics set")
    listed = toy_videos(videos, names)
    missing = [video for video in listed if not (out / video.path).is_file()]
    jobs = [(str(out / video.path), seed, video.scene, video.move, seconds) for video in missing]
    workers = effective_cores().count if num_workers is None else num_workers
    make_all(_make_video, jobs, num_workers=workers, what="toy videos")
    for name, text in _texts(listed, names, seconds=seconds).items():
        if not (out / name).is_file():
            write_text(text, out / name)
    splits = [video.split for video in listed]
    return ToyVideosReport(
        root=out,
        classes=len(names),
        videos_made=len(missing),
        videos_reused=videos - len(missing),
        train_videos=splits.count("train"),
        val_videos=splits.count("val"),
    )


def toy_videos(videos: int, names: Sequence[str]) -> list[ToyVideo]:
    """The files of a set of `videos` files with the classes `names`, by split, class and scene."""
    scenes = videos // len(names)
    listed = []
    for split in ("train", "val"):
        for label, move in enumerate(names):
            for k in range(scenes):
                if is_held_out(k, scenes) == (split == "val"):
                    listed.append(ToyVideo(f"{split}/{move}/{move}_{k:04d}.mp4", split, move, label, k))
    return listed


def is_held_out(scene: int, scenes: int) -> bool:
    """Whether the videos of scene number `scene` of `scenes` belong to the val split."""
    return scene == scenes - 1 if scenes < VAL_EVERY else scene % VAL_EVERY == VAL_EVERY - 1


def scene_number(index: int, *, seed: int) -> MovingScene:
    """The scene number `index` of the set of that seed."""
    return sample_scene(np.random.default_rng([seed, index]))


def _check_arguments(*, videos: int, seconds: int, seed: int, classes: Sequence[str], num_workers: int | None) -> None:
    problems = []
    unknown = [name for name in classes if name not in MOVES]
    if unknown:
        problems.append(f"classes: {unknown[0]!r} is none of {', '.join(MOVES)}")
    if len(set(classes)) < len(classes):
        problems.append(f"classes ({', '.join(classes)}) must differ")
    if len(classes) < 2:
        problems.append(f"classes ({len(classes)}) must be at least 2: one class is always right")
    elif videos < 2 * len(classes) or videos % len(classes):
        problems.append(
            f"videos ({videos}) must be a multiple of the {len(classes)} classes, and at least {2 * len(classes)}: "
            "every scene makes one video of each class, and at least one scene is held out"
        )
    if seconds < 1:
        problems.append(f"seconds ({seconds}) must be at least 1")
    if seed < 0:
        problems.append(f"seed ({seed}) must not be negative")
    if num_workers is not None and num_workers < 0:
        problems.append(f"num_workers ({num_workers}) must not be negative; 0 renders in this process")
    if problems:
        raise ValueError("cannot make the toy Kinetics set: " + "; ".join(problems))


def _make_video(path: str, seed: int, scene: int, move: str, seconds: int) -> None:
    cv2.setNumThreads(1)  # one process a core already
    write_video(render(scene_number(scene, seed=seed), move, frame_times(seconds * FPS)), path, FPS)


def _texts(listed: Sequence[ToyVideo], names: Sequence[str], *, seconds: int) -> dict[str, str]:
    """Name -> content of the lists, the names of the classes, and the README."""
    lines = {s: "".join(f"{v.path} {v.label}\n" for v in listed if v.split == s) for s in ("train", "val")}
    pairs = [f"{name} and {PARTNERS[name]}" for name in names if name < PARTNERS[name] and PARTNERS[name] in names]
    told = f"Played backwards, each of a pair is the other: {', '.join(pairs)}.\n" if pairs else ""
    return {
        "train.csv": lines["train"],
        "val.csv": lines["val"],
        "test.csv": lines["val"],
        "labels.txt": "".join(f"{name}\n" for name in names),
        "README.txt": README.format(count=len(listed), seconds=seconds, classes=len(names), pairs=told),
    }
