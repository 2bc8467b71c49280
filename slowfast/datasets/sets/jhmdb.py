"""JHMDB-21: one person on every frame of short clips."""

from pathlib import Path

import numpy as np
from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.people.annotated_set import AnnotatedSet
from slowfast.datasets.annotations.people.jhmdb import held_out_videos, read_jhmdb
from slowfast.datasets.annotations.people.tubes import tubes_of_table
from slowfast.datasets.clips.key_frame_clips import FrameClock, every_nth
from slowfast.datasets.registry import Reading, register_dataset
from slowfast.datasets.sets.pixels import existing_file, videos_or_cache
from slowfast.datasets.split import KeyFrameSplit, Proposals
from slowfast.structures.annotations.tube import Tube


@register_dataset("jhmdb", Reading(counts_frames=True))
def build_jhmdb(cfg: CfgNode, split: str) -> KeyFrameSplit:
    j, held_out = cfg.JHMDB, split != "train" and cfg.JHMDB.TEST_ON == "held_out"
    subset = "train" if held_out else split
    key_frames, label_map, table = read_jhmdb(j.ANNOTATION_DIR, split=j.SPLIT, subset=subset)
    tubes: tuple[Tube, ...] = tubes_of_table(table)
    which = split
    if subset == "train" and j.HELD_OUT:
        out = held_out_videos(key_frames.videos, j.HELD_OUT)
        inside = np.array([(video in out) == held_out for video in key_frames.videos])
        key_frames = key_frames.subset(np.flatnonzero(inside[key_frames.video]))
        tubes = tuple(tube for tube in tubes if (tube.video in out) == held_out)
        which = (
            f"train ({'only' if held_out else 'without'} the {len(out)} videos that JHMDB.HELD_OUT {j.HELD_OUT} keeps)"
        )
    key_frames = every_nth(key_frames, j.TRAIN_FRAME_STEP if split == "train" else j.TEST_FRAME_STEP)
    note = f"JHMDB-21 split {j.SPLIT} {which}: {len(key_frames)} key frames of {len(key_frames.used_videos)} videos"
    annotated = AnnotatedSet(key_frames, table, label_map, label_map, notes=(note,), tubes=tubes)
    pixels = videos_or_cache(cfg, j.VIDEO_DIR)
    return KeyFrameSplit(annotated, pixels, FrameClock(), _proposals(cfg, split), frame_by_frame=True)


def _proposals(cfg: CfgNode, split: str) -> Proposals:
    """Those of a test: a person detector does not tell what people do, so the two-stage model trains on annotated ones."""
    j = cfg.JHMDB
    names = [] if split == "train" else [name for name in j.TEST_PREDICT_BOX_LISTS if name]
    key = "JHMDB.TEST_PREDICT_BOX_LISTS in JHMDB.ANNOTATION_DIR"
    files = tuple(existing_file(Path(j.ANNOTATION_DIR) / name, key) for name in names)
    return Proposals(files, j.DETECTION_SCORE_THRESH, "JHMDB")
