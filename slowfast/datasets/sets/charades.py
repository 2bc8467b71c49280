"""Charades from PySlowFast's frame list: videos of extracted frames, many labels each."""

from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.config.classes import num_classes
from slowfast.datasets.annotations.charades import read_charades
from slowfast.datasets.registry import register_dataset
from slowfast.datasets.split import VideoSplit
from slowfast.video.frames import FrameFolders

LISTS = {"test": "val.csv"}


@register_dataset("charades")
def build_charades(cfg: CfgNode, split: str) -> VideoSplit:
    d = cfg.DATA
    if split not in LISTS:
        raise ValueError(f"charades has no {split} split here: it is for testing only (TRAIN.ENABLE False)")
    if not d.MULTI_LABEL:
        raise ValueError("DATA.MULTI_LABEL (False) must be True on charades: its videos have many labels each")
    path = Path(d.PATH_TO_DATA_DIR) / LISTS[split]
    videos = read_charades(path, num_classes=num_classes(cfg))
    return VideoSplit(videos, FrameFolders(d.PATH_PREFIX or ".", fps=cfg.DATA.TARGET_FPS, frame_lists=path), bgr=True)
