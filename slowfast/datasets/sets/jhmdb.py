"""JHMDB-21: one person on every frame of short clips."""

from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.annotated_set import AnnotatedSet
from slowfast.datasets.annotations.jhmdb import read_jhmdb
from slowfast.datasets.annotations.tubes import tubes_of_table
from slowfast.datasets.clips.key_frame_clips import FrameClock, every_nth
from slowfast.datasets.registry import Reading, register_dataset
from slowfast.datasets.sets.pixels import videos_or_cache
from slowfast.datasets.split import KeyFrameSplit


@register_dataset("jhmdb", Reading(counts_frames=True))
def build_jhmdb(cfg: CfgNode, split: str) -> KeyFrameSplit:
    j = cfg.JHMDB
    key_frames, label_map, table = read_jhmdb(j.ANNOTATION_DIR, split=j.SPLIT, subset=split)
    key_frames = every_nth(key_frames, j.TRAIN_FRAME_STEP if split == "train" else j.TEST_FRAME_STEP)
    note = f"JHMDB-21 split {j.SPLIT} {split}: {len(key_frames)} key frames of {len(key_frames.videos)} videos"
    annotated = AnnotatedSet(key_frames, table, label_map, label_map, notes=(note,), tubes=tubes_of_table(table))
    return KeyFrameSplit(annotated, videos_or_cache(cfg, j.VIDEO_DIR), FrameClock(), frame_by_frame=True)
