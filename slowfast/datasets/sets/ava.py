"""AVA, the toy set, and your own data in AVA's format: people on whole seconds of video files or frame folders."""

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
    names = a.TRAIN_GT_BOX_LISTS if training else [a.GROUNDTRUTH_FILE]
    exclusion_key = "TRAIN_EXCLUSION_FILE" if training else "EXCLUSION_FILE"
    annotated = read_ava(
        [_annotation(a, "TRAIN_GT_BOX_LISTS" if training else "GROUNDTRUTH_FILE", name) for name in names],
        label_map_file=_annotation(a, "TRAIN_LABEL_MAP_FILE", a.TRAIN_LABEL_MAP_FILE),
        eval_label_map_file=_annotation(a, "LABEL_MAP_FILE", a.LABEL_MAP_FILE),
        exclusion_file=_annotation(a, exclusion_key, a[exclusion_key]) if a[exclusion_key] else None,
        classes=tuple(a.CLASSES),
        valid_seconds=tuple(a.VALID_SECONDS) or None,
    )
    boxes_key = "TRAIN_PREDICT_BOX_LISTS" if training else "TEST_PREDICT_BOX_LISTS"
    proposals = tuple(_annotation(a, boxes_key, name) for name in a[boxes_key])
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


def _annotation(a: CfgNode, key: str, name: str) -> Path:
    """A file of the annotations. Raises FileNotFoundError that names the key."""
    return existing_file(Path(a.ANNOTATION_DIR) / name, f"AVA.{key} in AVA.ANNOTATION_DIR")


def _frames(cfg: CfgNode, training: bool) -> FrameFolders:
    """Both splits read the training lists where no lists of the test are named."""
    a = cfg.AVA
    key = "TRAIN_LISTS" if training or not a.TEST_LISTS else "TEST_LISTS"
    lists = [existing_file(Path(a.FRAME_LIST_DIR) / name, f"AVA.{key} in AVA.FRAME_LIST_DIR") for name in a[key]]
    return FrameFolders(
        a.FRAME_DIR,
        fps=cfg.DATA.TARGET_FPS,
        frame_lists=lists or None,
        pattern=a.FRAME_PATTERN,
        first_frame=None if a.FIRST_FRAME < 0 else a.FIRST_FRAME,
    )
