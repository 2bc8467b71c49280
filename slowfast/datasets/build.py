"""From config to splits, clips and loaders; with the builders of `sets/` all of this package that sees a config."""

from functools import partial
from typing import Any

from fvcore.common.config import CfgNode
from torch.utils.data import DataLoader, Dataset

from slowfast.datasets import sets
from slowfast.datasets.clips.collate import collate
from slowfast.datasets.clips.key_frame_clips import ClipShape, KeyFrameClips
from slowfast.datasets.clips.presets import Augmentation, DetectionPreset, InputSize
from slowfast.datasets.clips.samplers import ShardSampler, TrainBatches
from slowfast.datasets.clips.video_views import Chunks, VideoViews, ViewShape
from slowfast.datasets.registry import find_dataset
from slowfast.datasets.split import KeyFrameSplit, Split, VideoSplit
from slowfast.structures.label_map import LabelMap

__all__ = ["build_clips", "build_test_loader", "build_train_loader", "build_view_loader", "read_split", "sets"]


def read_split(cfg: CfgNode, split: str) -> Split:
    """The "train" or "test" split of the data set that TRAIN.DATASET or TEST.DATASET names."""
    name = cfg.TRAIN.DATASET if split == "train" else cfg.TEST.DATASET
    return find_dataset(name, f"{split.upper()}.DATASET")(cfg, split)


# ------------------------------------------------------------------------------------------------------ key frames


def _size(size: int | list[int]) -> InputSize:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _preset(cfg: CfgNode, split: str, label_map: LabelMap) -> DetectionPreset:
    d = cfg.DATA
    keep_aspect = d.RESIZE == "keep_aspect"
    if split == "test":
        return DetectionPreset(size=_size(d.TEST_CROP_SIZE), keep_aspect=keep_aspect)
    swaps = [tuple(label_map.to_index(pair).tolist()) for pair in d.FLIP_SWAPS]
    if any(-1 in pair for pair in swaps):
        raise ValueError(
            f"DATA.FLIP_SWAPS {d.FLIP_SWAPS} names a class id that is not in the label map {label_map.ids}"
        )
    augmentation = Augmentation(
        crop=d.CROP,
        crop_scale=tuple(d.CROP_SCALE),
        min_visible=d.MIN_VISIBLE,
        flip=d.RANDOM_FLIP,
        swap_actions=tuple(swaps),
        colour=d.COLOR_JITTER,
        sizes=tuple(_size(size) for size in d.MULTI_SCALE),
    )
    return DetectionPreset(size=_size(d.TRAIN_CROP_SIZE), keep_aspect=keep_aspect, augmentation=augmentation)


def build_clips(cfg: CfgNode, name: str, split: KeyFrameSplit) -> KeyFrameClips:
    """The clips of the "train" (augmented) or "test" split."""
    return KeyFrameClips(
        split.annotated.key_frames,
        split.pixels,
        clock=split.clock,
        shape=ClipShape(
            cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE, "forward" if name == "train" else cfg.TEST.FRAME_ORDER
        ),
        preset=_preset(cfg, name, split.annotated.label_map),
        strict=cfg.DATA.STRICT,
        seed=cfg.RNG_SEED,
    )


def build_train_loader(
    cfg: CfgNode, split: KeyFrameSplit, *, rank: int, world_size: int
) -> tuple[DataLoader, TrainBatches]:
    """The loader, and the batches it draws, which are told the epoch."""
    clips = build_clips(cfg, "train", split)
    batches = TrainBatches(
        len(clips),
        batch_size=cfg.TRAIN.BATCH_SIZE,
        accumulate=cfg.TRAIN.GRAD_ACCUM_STEPS,
        rank=rank,
        world_size=world_size,
        seed=cfg.RNG_SEED,
    )
    return _loader(cfg, clips, collate_fn=_collate(cfg, split), batch_sampler=batches), batches


def build_test_loader(cfg: CfgNode, split: KeyFrameSplit, *, rank: int, world_size: int) -> DataLoader:
    clips = build_clips(cfg, "test", split)
    sampler = ShardSampler(len(clips), rank=rank, world_size=world_size)
    batch_size = max(1, cfg.TEST.BATCH_SIZE // world_size)
    return _loader(cfg, clips, collate_fn=_collate(cfg, split), sampler=sampler, batch_size=batch_size)


def _collate(cfg: CfgNode, split: KeyFrameSplit) -> partial:
    blank_size = (cfg.DATA.NUM_FRAMES, *_size(cfg.DATA.TRAIN_CROP_SIZE))
    return partial(collate, blank_size=blank_size, num_classes=split.annotated.label_map.num_classes)


def _loader(cfg: CfgNode, dataset: Dataset, **sampling: Any) -> DataLoader:
    """A loader whose workers stay alive between epochs; `sampling`: what to draw, in which batches, and how to collate."""
    workers = cfg.DATA_LOADER.NUM_WORKERS
    return DataLoader(
        dataset,
        num_workers=workers,
        pin_memory=cfg.DATA_LOADER.PIN_MEMORY and cfg.NUM_GPUS > 0,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
        **sampling,
    )


# ------------------------------------------------------------------------------------------------------ whole videos


def build_view_loader(cfg: CfgNode, split: VideoSplit, *, rank: int, world_size: int) -> Chunks:
    """All views of each video of this process's share, in batches of at most its share of TEST.BATCH_SIZE."""
    size = _size(cfg.DATA.TEST_CROP_SIZE)
    if size[0] != size[1]:
        raise ValueError(f"views are square, and DATA.TEST_CROP_SIZE is {size}; give one number")
    shape = ViewShape(
        num_frames=cfg.DATA.NUM_FRAMES,
        sampling_rate=cfg.DATA.SAMPLING_RATE,
        fps=cfg.DATA.TARGET_FPS,
        size=size[0],
        num_clips=cfg.TEST.NUM_ENSEMBLE_VIEWS,
        num_crops=cfg.TEST.NUM_SPATIAL_CROPS,
        whole_video=split.sampling == "segments",
    )
    views = VideoViews(split.videos, split.pixels, shape=shape, strict=cfg.DATA.STRICT)
    sampler = ShardSampler(len(views), rank=rank, world_size=world_size)
    loader = _loader(cfg, views, sampler=sampler, batch_size=None)
    return Chunks(loader, most=max(1, cfg.TEST.BATCH_SIZE // world_size), per_item=shape.num_views)
