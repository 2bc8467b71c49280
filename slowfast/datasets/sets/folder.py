"""Videos of one's own without any list: CLASS/VIDEO.mp4, or train, val and test / CLASS / VIDEO.mp4."""

from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.videos.class_folders import (
    VIDEOS,
    has_split_folders,
    read_held_out,
    read_split_folders,
)
from slowfast.datasets.registry import register_dataset
from slowfast.datasets.sets.labels import refuse_label_file
from slowfast.datasets.sets.pixels import video_files
from slowfast.datasets.split import VideoSplit


@register_dataset("folder")
def build_folder(cfg: CfgNode, split: str) -> VideoSplit:
    refuse_label_file(cfg, "folder")
    root = cfg.DATA.PATH_TO_DATA_DIR
    if has_split_folders(root):
        videos, notes = read_split_folders(root, split, kind=VIDEOS)
    else:
        videos, notes = read_held_out(root, split, kind=VIDEOS, fraction=cfg.DATA.HELD_OUT)
    return VideoSplit(videos, video_files(cfg, root), notes=notes)
