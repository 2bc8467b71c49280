"""From config to splits, clips and loaders; with the builders of `sets/` all of this package that sees a config."""

from dataclasses import replace
from functools import partial
from typing import Any

from fvcore.common.config import CfgNode
from torch.utils.data import DataLoader, Dataset

from slowfast.datasets import sets
from slowfast.datasets.augment.view_crops import ViewCrops
from slowfast.datasets.clips.collate import collate
from slowfast.datasets.clips.key_frame_clips import ClipShape, KeyFrameClips
from slowfast.datasets.clips.presets import Augmentation, DetectionPreset, InputSize
from slowfast.datasets.clips.samplers import ShardSampler, TrainBatches
from slowfast.datasets.clips.video_sampling import ClipSampling
from slowfast.datasets.clips.video_views import Chunks, VideoViews
from slowfast.datasets.registry import find_dataset
from slowfast.datasets.split import KeyFrameSplit, Split, VideoSplit
from slowfast.structures.label_map import LabelMap
from slowfast.video.frames import FrameFolders

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


def build_clip_sampling(cfg: CfgNode, split: VideoSplit) -> ClipSampling:
    """Which frames the clips of a split show, in training and in a test."""
    # Charades: clips of extracted frames are counted in frames, not in seconds.
    folders = split.sampling == "time" and isinstance(split.pixels, FrameFolders)
    return ClipSampling(
        num_frames=cfg.DATA.NUM_FRAMES,
        sampling_rate=cfg.DATA.SAMPLING_RATE,
        target_fps=cfg.DATA.TARGET_FPS,
        kind="frames" if folders else split.sampling,
        rule=cfg.TEST.VIEW_SAMPLING,
        use_offset=cfg.DATA.USE_OFFSET_SAMPLING,
    )


def build_view_crops(cfg: CfgNode, sampling: ClipSampling, num_crops: int) -> ViewCrops:
    """The square crops that clips of this sampling are tested on."""
    size = _size(cfg.DATA.TEST_CROP_SIZE)
    if size[0] != size[1]:
        raise ValueError(f"views are square, and DATA.TEST_CROP_SIZE is {size}; give one number")
    side, ratio = size[0], cfg.DATA.IN_VAL_CROP_RATIO
    if sampling.kind == "image":
        return ViewCrops(side, num_crops, int(side / ratio) if ratio else 0, "bicubic")
    if sampling.rule == "mmaction2":
        return ViewCrops(side, num_crops, side, "bilinear", mmaction2=True)
    if sampling.kind == "time":
        return ViewCrops(side, num_crops, cfg.DATA.TRAIN_JITTER_SCALES[0] if num_crops == 1 else side, "area")
    return ViewCrops(side, num_crops, side, "bilinear")


def build_view_loader(
    cfg: CfgNode,
    split: VideoSplit,
    *,
    rank: int,
    world_size: int,
    num_clips: int,
    num_crops: int,
    in_the_middle: bool = False,
) -> Chunks:
    """num_clips x num_crops views of each video of this process's share, in batches of at most its share of
    TEST.BATCH_SIZE.

    in_the_middle: one clip is in the middle of its video even where DATA.USE_OFFSET_SAMPLING is False and it would start
                   at the first frame; for validation
    """
    sampling = build_clip_sampling(cfg, split)
    if in_the_middle:
        sampling = replace(sampling, use_offset=True)
    views = VideoViews(
        split.videos,
        split.pixels,
        sampling=sampling,
        crops=build_view_crops(cfg, sampling, num_crops),
        num_clips=num_clips,
        order=cfg.TEST.FRAME_ORDER,
        strict=cfg.DATA.STRICT,
    )
    sampler = ShardSampler(len(views), rank=rank, world_size=world_size)
    loader = _loader(cfg, views, sampler=sampler, batch_size=None)
    return Chunks(loader, most=max(1, cfg.TEST.BATCH_SIZE // world_size), per_item=views.num_views)
