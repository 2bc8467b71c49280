"""AVA, the toy set, and your own data in AVA's format: people on whole seconds of video files or frame folders."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.people.annotated_set import without_missing_videos
from slowfast.datasets.annotations.people.ava import read_ava
from slowfast.datasets.clips.key_frame_clips import SecondClock
from slowfast.datasets.registry import register_dataset
from slowfast.datasets.sets.pixels import existing_file, video_files, videos_or_cache
from slowfast.datasets.split import KeyFrameSplit, Proposals
from slowfast.video.pictures.frames import FrameFolders


@dataclass(frozen=True)
class AvaFiles:
    """The files that a config names for one split, each with its key; whether they exist is not asked.

    people, proposals: annotated people, boxes of a person detector
    exclusions:        none or one
    """

    people: tuple[Path, ...]
    proposals: tuple[Path, ...]
    exclusions: tuple[Path, ...]
    label_map: Path
    eval_label_map: Path
    keys: dict[Path, str]

    def check(self) -> None:
        """Raises FileNotFoundError that names the key of a file that is not there."""
        for path, key in self.keys.items():
            existing_file(path, f"AVA.{key} in AVA.ANNOTATION_DIR")


def ava_files(cfg: CfgNode, split: str) -> AvaFiles:
    """Those of "train", or of the test."""
    a, keys = cfg.AVA, {}

    def paths(key: str, names: Sequence[str]) -> tuple[Path, ...]:
        found = tuple(Path(a.ANNOTATION_DIR) / name for name in names if name)
        keys.update(dict.fromkeys(found, key))
        return found

    if split == "train":
        people = paths("TRAIN_GT_BOX_LISTS", list(a.TRAIN_GT_BOX_LISTS))
        proposals = paths("TRAIN_PREDICT_BOX_LISTS", a.TRAIN_PREDICT_BOX_LISTS)
        exclusions = paths("TRAIN_EXCLUSION_FILE", [a.TRAIN_EXCLUSION_FILE])
    else:
        people = paths("GROUNDTRUTH_FILE", [a.GROUNDTRUTH_FILE])
        proposals = paths("TEST_PREDICT_BOX_LISTS", a.TEST_PREDICT_BOX_LISTS)
        exclusions = paths("EXCLUSION_FILE", [a.EXCLUSION_FILE])
    (label_map,) = paths("TRAIN_LABEL_MAP_FILE", [a.TRAIN_LABEL_MAP_FILE])
    (eval_label_map,) = paths("LABEL_MAP_FILE", [a.LABEL_MAP_FILE])
    return AvaFiles(people, proposals, exclusions, label_map, eval_label_map, keys)


def ava_clock(cfg: CfgNode) -> SecondClock:
    return SecondClock(cfg.DATA.TARGET_FPS, cfg.AVA.FIRST_SECOND)


@register_dataset("ava")
def build_ava(cfg: CfgNode, split: str) -> KeyFrameSplit:
    a, training = cfg.AVA, split == "train"
    clock, files = ava_clock(cfg), ava_files(cfg, split)
    files.check()
    proposals = Proposals(files.proposals, a.DETECTION_SCORE_THRESH, "AVA")
    annotated = read_ava(
        files.people,
        label_map_file=files.label_map,
        eval_label_map_file=files.eval_label_map,
        exclusion_file=files.exclusions[0] if files.exclusions else None,
        classes=tuple(a.CLASSES),
        valid_seconds=tuple(a.VALID_SECONDS) or None,
    )
    if a.PIXELS == "frames":
        frames = ava_frames(cfg, training=training)
        annotated = without_missing_videos(
            annotated, frames.check, ignore=a.IGNORE_MISSING_VIDEOS, folder_key="AVA.FRAME_DIR"
        )
        first = frames.find_first_frame(annotated.key_frames.used_videos)
        note = f"frames of {a.FRAME_DIR}: number {first} is second {a.FIRST_SECOND} (AVA.FIRST_FRAME, AVA.FIRST_SECOND)"
        early = frames.starts_before(annotated.key_frames.used_videos)
        notes = (*annotated.notes, note, *([f"warning: {early}"] if early else []))
        return KeyFrameSplit(replace(annotated, notes=notes), frames, clock, proposals)
    videos = video_files(cfg, a.VIDEO_DIR)
    annotated = without_missing_videos(annotated, videos.check, ignore=a.IGNORE_MISSING_VIDEOS)
    return KeyFrameSplit(annotated, videos_or_cache(cfg, a.VIDEO_DIR, videos), clock, proposals)


def ava_frames(cfg: CfgNode, *, training: bool) -> FrameFolders:
    """Folders of extracted frames. Both splits read the training lists where no lists of the test are named."""
    a = cfg.AVA
    key, names = ("TRAIN_LISTS", a.TRAIN_LISTS) if training or not a.TEST_LISTS else ("TEST_LISTS", a.TEST_LISTS)
    lists = [existing_file(Path(a.FRAME_LIST_DIR) / name, f"AVA.{key} in AVA.FRAME_LIST_DIR") for name in names]
    return FrameFolders(
        a.FRAME_DIR,
        fps=cfg.DATA.TARGET_FPS,
        frame_lists=lists or None,
        pattern=a.FRAME_PATTERN,
        first_frame=a.FIRST_FRAME,
    )
