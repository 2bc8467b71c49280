"""JHMDB-21 as a classification set: the one action of each clip. The test part is the validation part, too."""

from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.people.jhmdb import read_jhmdb_videos
from slowfast.datasets.registry import register_dataset
from slowfast.datasets.sets.labels import refuse_label_file
from slowfast.datasets.sets.pixels import video_files
from slowfast.datasets.split import VideoSplit


@register_dataset("jhmdb_videos")
def build_jhmdb_videos(cfg: CfgNode, split: str) -> VideoSplit:
    refuse_label_file(cfg, "jhmdb_videos")
    j = cfg.JHMDB
    subset = "train" if split == "train" else "test"
    videos = read_jhmdb_videos(j.ANNOTATION_DIR, split=j.SPLIT, subset=subset)
    notes = ("JHMDB-21 has no validation part: its test part is read in its place",) if split == "val" else ()
    return VideoSplit(videos, video_files(cfg, j.VIDEO_DIR), notes=notes)
