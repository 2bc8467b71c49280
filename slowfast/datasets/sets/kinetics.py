"""Kinetics, and any set listed as it is: a line with path and class index per video file."""

from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.config.classes import num_classes
from slowfast.datasets.annotations.video_lists import read_video_list
from slowfast.datasets.registry import register_dataset
from slowfast.datasets.sets.pixels import video_files
from slowfast.datasets.split import VideoSplit


@register_dataset("kinetics")
def build_kinetics(cfg: CfgNode, split: str) -> VideoSplit:
    d = cfg.DATA
    videos = read_video_list(
        Path(d.PATH_TO_DATA_DIR) / f"{split}.csv",
        num_classes=num_classes(cfg),
        separator=d.PATH_LABEL_SEPARATOR,
        multi_label=d.MULTI_LABEL,
    )
    return VideoSplit(videos, video_files(cfg, d.PATH_PREFIX or "."))
