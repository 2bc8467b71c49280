"""Kinetics, and any set listed as it is: a line with path and class per video file."""

from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.videos.video_lists import read_video_list
from slowfast.datasets.registry import register_dataset
from slowfast.datasets.sets.labels import class_names_of, list_of_split
from slowfast.datasets.sets.pixels import video_files
from slowfast.datasets.split import VideoSplit


@register_dataset("kinetics")
def build_kinetics(cfg: CfgNode, split: str) -> VideoSplit:
    d = cfg.DATA
    names, named = class_names_of(cfg)
    path, notes = list_of_split(d.PATH_TO_DATA_DIR, split)
    videos = read_video_list(
        path,
        num_classes=len(names),
        separator=d.PATH_LABEL_SEPARATOR,
        multi_label=d.MULTI_LABEL,
        class_names=names if named else None,
    )
    return VideoSplit(videos, video_files(cfg, d.PATH_PREFIX or "."), notes=notes)
