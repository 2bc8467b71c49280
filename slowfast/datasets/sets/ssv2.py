"""Something-Something v2 from its JSON files: the validation set is the test split."""

from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.video_lists import read_ssv2
from slowfast.datasets.registry import register_dataset
from slowfast.datasets.sets.pixels import video_files
from slowfast.datasets.split import VideoSplit


@register_dataset("ssv2")
def build_ssv2(cfg: CfgNode, split: str) -> VideoSplit:
    if split != "test":
        raise ValueError(f"ssv2 has no {split} split here: it is for testing only (TRAIN.ENABLE False)")
    videos = read_ssv2(cfg.DATA.PATH_TO_DATA_DIR)
    return VideoSplit(videos, video_files(cfg, cfg.DATA.PATH_PREFIX or "."), sampling="segments", bgr=True)
