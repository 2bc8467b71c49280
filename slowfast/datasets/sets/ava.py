"""AVA, the toy set, and your own data in AVA's format: people on whole seconds of video files or frame folders."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.annotated_set import without_missing_videos
from slowfast.datasets.annotations.ava import read_ava
from slowfast.datasets.clips.key_frame_clips import SecondClock
from slowfast.datasets.registry import register_dataset
from slowfast.datasets.sets.pixels import existing_file, videos_or_cache
from slowfast.datasets.split import KeyFrameSplit
from slowfast.video.frames import FrameFolders
from slowfast.video.reader import VideoFiles


@register_dataset("ava")
def build_ava(cfg: CfgNode, split: str) -> KeyFrameSplit:
    a, training = cfg.AVA, split == "train"
    clock = SecondClock(cfg.DATA.TARGET_FPS, a.FIRST_SECOND)
    if training:
        named = {"TRAIN_GT_BOX_LISTS": list(a.TRAIN_GT_BOX_LISTS), "TRAIN_PREDICT_BOX_LISTS": a.TRAIN_PREDICT_BOX_LISTS}
        excluded = {"TRAIN_EXCLUSION_FILE": [a.TRAIN_EXCLUSION_FILE] if a.TRAIN_EXCLUSION_FILE else []}
    else:
        named = {"GROUNDTRUTH_FILE": [a.GROUNDTRUTH_FILE], "TEST_PREDICT_BOX_LISTS": a.TEST_PREDICT_BOX_LISTS}
        excluded = {"EXCLUSION_FILE": [a.EXCLUSION_FILE] if a.EXCLUSION_FILE else []}
    people, proposals = (_annotations(a, key, names) for key, names in named.items())
    (exclusions,) = (_annotations(a, key, names) for key, names in excluded.items())
    (label_map,) = _annotations(a, "TRAIN_LABEL_MAP_FILE", [a.TRAIN_LABEL_MAP_FILE])
    (eval_label_map,) = _annotations(a, "LABEL_MAP_FILE", [a.LABEL_MAP_FILE])
    annotated = read_ava(
        people,
        label_map_file=label_map,
        eval_label_map_file=eval_label_map,
        exclusion_file=exclusions[0] if exclusions else None,
        classes=tuple(a.CLASSES),
        valid_seconds=tuple(a.VALID_SECONDS) or None,
    )
    if a.PIXELS == "frames":
        frames = _frames(cfg, training)
        annotated = without_missing_videos(
            annotated, frames.check, ignore=a.IGNORE_MISSING_VIDEOS, folder_key="AVA.FRAME_DIR"
        )
        first = frames.find_first_frame(annotated.key_frames.used_videos)
        note = f"frames of {a.FRAME_DIR}: number {first} is second {a.FIRST_SECOND} (AVA.FIRST_FRAME, AVA.FIRST_SECOND)"
        return KeyFrameSplit(replace(annotated, notes=(*annotated.notes, note)), frames, clock, proposals)
    annotated = without_missing_videos(annotated, VideoFiles(a.VIDEO_DIR).path, ignore=a.IGNORE_MISSING_VIDEOS)
    return KeyFrameSplit(annotated, videos_or_cache(cfg, a.VIDEO_DIR), clock, proposals)


def _annotations(a: CfgNode, key: str, names: Sequence[str]) -> tuple[Path, ...]:
    """The files of the annotations that a key names. Raises FileNotFoundError that names the key."""
    return tuple(existing_file(Path(a.ANNOTATION_DIR) / name, f"AVA.{key} in AVA.ANNOTATION_DIR") for name in names)


def _frames(cfg: CfgNode, training: bool) -> FrameFolders:
    """Both splits read the training lists where no lists of the test are named."""
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
