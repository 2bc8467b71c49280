"""Charades from PySlowFast's frame lists: videos of extracted frames, many labels each."""

from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.people.charades import read_charades
from slowfast.datasets.registry import Reading, register_dataset
from slowfast.datasets.sets.labels import class_names_of
from slowfast.datasets.split import VideoSplit
from slowfast.video.pictures.frames import FrameFolders

LISTS = {"train": "train.csv", "val": "val.csv", "test": "val.csv"}


@register_dataset("charades", Reading("frames", bgr=True))
def build_charades(cfg: CfgNode, split: str) -> VideoSplit:
    """A clip of "train" has the labels of its own frames, one of "val" and "test" those of its video, as PySlowFast's."""
    d = cfg.DATA
    if not d.MULTI_LABEL:
        raise ValueError("DATA.MULTI_LABEL (False) must be True on charades: its videos have many labels each")
    names, _ = class_names_of(cfg)
    path = Path(d.PATH_TO_DATA_DIR) / LISTS[split]
    videos = read_charades(path, num_classes=len(names), by_frame=split == "train", class_names=names)
    return VideoSplit(videos, FrameFolders(d.PATH_PREFIX or ".", fps=d.TARGET_FPS, frame_lists=path), bgr=True)
