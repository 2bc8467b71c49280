"""AVA, the toy set, and your own data in AVA's format: people on whole seconds of video files or frame folders."""

from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.annotated_set import without_missing_videos
from slowfast.datasets.annotations.ava import read_ava
from slowfast.datasets.clips.key_frame_clips import SecondClock
from slowfast.datasets.registry import register_dataset
from slowfast.datasets.sets.pixels import videos_or_cache
from slowfast.datasets.split import KeyFrameSplit
from slowfast.video.frames import FrameFolders
from slowfast.video.reader import VideoFiles


@register_dataset("ava")
def build_ava(cfg: CfgNode, split: str) -> KeyFrameSplit:
    a, training = cfg.AVA, split == "train"
    folder, clock = Path(a.ANNOTATION_DIR), SecondClock(cfg.DATA.TARGET_FPS, a.FIRST_SECOND)
    exclusion = a.TRAIN_EXCLUSION_FILE if training else a.EXCLUSION_FILE
    annotated = read_ava(
        [folder / name for name in (a.TRAIN_GT_BOX_LISTS if training else [a.GROUNDTRUTH_FILE])],
        label_map_file=folder / a.TRAIN_LABEL_MAP_FILE,
        eval_label_map_file=folder / a.LABEL_MAP_FILE,
        exclusion_file=folder / exclusion if exclusion else None,
        classes=tuple(a.CLASSES),
        valid_seconds=tuple(a.VALID_SECONDS) or None,
    )
    boxes = a.TRAIN_PREDICT_BOX_LISTS if training else a.TEST_PREDICT_BOX_LISTS
    proposals = tuple(folder / name for name in boxes)
    if a.PIXELS == "frames":
        lists = [Path(a.FRAME_LIST_DIR) / name for name in (a.TRAIN_LISTS if training else a.TEST_LISTS)]
        frames = FrameFolders(a.FRAME_DIR, fps=cfg.DATA.TARGET_FPS, frame_lists=lists or None)
        return KeyFrameSplit(annotated, frames, clock, proposals)
    annotated = without_missing_videos(annotated, VideoFiles(a.VIDEO_DIR), ignore=a.IGNORE_MISSING_VIDEOS)
    return KeyFrameSplit(annotated, videos_or_cache(cfg, a.VIDEO_DIR), clock, proposals)
