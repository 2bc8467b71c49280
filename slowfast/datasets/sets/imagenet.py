"""ImageNet, and any images in class folders: train, val and test / CLASS / IMAGE."""

from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.videos.class_folders import IMAGES, read_split_folders
from slowfast.datasets.registry import Reading, register_dataset
from slowfast.datasets.sets.labels import refuse_label_file
from slowfast.datasets.split import VideoSplit
from slowfast.video.pictures.images import ImageFiles


@register_dataset("imagenet", Reading("image"))
def build_imagenet(cfg: CfgNode, split: str) -> VideoSplit:
    refuse_label_file(cfg, "imagenet")
    root = cfg.DATA.PATH_TO_DATA_DIR
    videos, notes = read_split_folders(root, split, kind=IMAGES)
    return VideoSplit(videos, ImageFiles(root), sampling="image", notes=notes)
