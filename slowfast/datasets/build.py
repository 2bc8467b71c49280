"""From config to splits, clips and loaders; with the builders of `sets/` all of this package that sees a config."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from fvcore.common.config import CfgNode
from torch.utils.data import DataLoader, Dataset

from slowfast.datasets import sets
from slowfast.datasets.annotations.outside import refuse_outside
from slowfast.datasets.augment.batch import Mixing
from slowfast.datasets.augment.classification_preset import LabelAugmentation, LabelPreset
from slowfast.datasets.augment.masks import MaskShape
from slowfast.datasets.augment.mixup import Mixup
from slowfast.datasets.augment.view_crops import ViewCrops
from slowfast.datasets.clips.collate import collate
from slowfast.datasets.clips.key_frame_clips import ClipShape, FrameClock, KeyFrameClips
from slowfast.datasets.clips.labelled_clips import LabelledClips, collate_labelled
from slowfast.datasets.clips.presets import Augmentation, DetectionPreset, InputSize
from slowfast.datasets.clips.samplers import ShardSampler, TrainBatches
from slowfast.datasets.clips.train_loader import StepChange, TrainBatchLoader
from slowfast.datasets.clips.video_sampling import ClipSampling
from slowfast.datasets.clips.video_views import Chunks, VideoViews
from slowfast.datasets.clips.workers import ClipLoader, Watched, begin, check_shared_memory
from slowfast.datasets.features.feature_clips import FeatureClips
from slowfast.datasets.features.store import FeatureStore
from slowfast.datasets.features.views import Views
from slowfast.datasets.prepared import check_prepared
from slowfast.datasets.registry import find_dataset
from slowfast.datasets.split import KeyFrameSplit, Split, VideoSplit
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.video.pictures.frames import FrameFolders

__all__ = [
    "build_clip_sampling",
    "build_clips",
    "build_feature_clips",
    "build_label_loader",
    "build_label_preset",
    "build_mask_shape",
    "build_mixup",
    "build_preset",
    "build_test_loader",
    "build_test_preset",
    "build_train_loader",
    "build_view_crops",
    "build_view_loader",
    "build_views",
    "clip_counts",
    "read_split",
    "sets",
]


def read_split(cfg: CfgNode, split: str) -> Split:
    """The "train", "val" or "test" split of the data set that TRAIN.DATASET or (for "test") TEST.DATASET names."""
    section = "TEST" if split == "test" else "TRAIN"
    name = cfg[section].DATASET
    found = find_dataset(name, f"{section}.DATASET")(cfg, split)
    # Lists without DATA.PATH_PREFIX are of paths as they are: there is no folder that they could leave.
    if not cfg.DATA.NAMES_MAY_LEAVE and (isinstance(found, KeyFrameSplit) or cfg.DATA.PATH_PREFIX):
        videos = found.annotated.key_frames.used_videos if isinstance(found, KeyFrameSplit) else found.videos.names
        refuse_outside(videos, f"{name}, {split}")
        if isinstance(found.pixels, FrameFolders):
            refuse_outside(found.pixels.listed_files(videos), f"{name}, {split}, frame lists")
    return _with_prepared(found)


def _with_prepared(split: Split) -> Split:
    """With what the records of prepared videos say in its notes. Raises ValueError where they say otherwise."""
    if isinstance(split, VideoSplit):
        return replace(split, notes=(*split.notes, *check_prepared(split.pixels, split.videos.names, None)))
    annotated = split.annotated
    prepared = check_prepared(split.pixels, annotated.key_frames.used_videos, split.clock)
    return replace(split, annotated=replace(annotated, notes=(*annotated.notes, *prepared)))


# ------------------------------------------------------------------------------------------------------ key frames


def _size(size: int | list[int]) -> InputSize:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def build_test_preset(cfg: CfgNode) -> DetectionPreset:
    """What a test, and a prediction, does to the frames of a clip."""
    keep_aspect = cfg.DATA.RESIZE == "keep_aspect"
    return DetectionPreset(size=_size(cfg.DATA.TEST_CROP_SIZE), keep_aspect=keep_aspect)


def build_preset(cfg: CfgNode, split: str, label_map: LabelMap) -> DetectionPreset:
    """What the "train" or "test" split does to clips. Raises ValueError for classes to exchange that there are not."""
    if split == "test":
        return build_test_preset(cfg)
    d = cfg.DATA
    pairs = list(dict.fromkeys(tuple(sorted(pair)) for pair in [*d.FLIP_SWAPS, *label_map.swaps]))
    swaps = [tuple(label_map.to_index(np.array(pair)).tolist()) for pair in pairs]
    if any(-1 in pair for pair in swaps):
        raise ValueError(
            f"DATA.FLIP_SWAPS {d.FLIP_SWAPS} names a class id that is not in the label map {label_map.ids}"
        )
    if len({index for pair in swaps for index in pair}) != 2 * len(swaps):
        raise ValueError(
            f"a class can be exchanged with one other: DATA.FLIP_SWAPS {d.FLIP_SWAPS} and the swaps of the label map "
            f"{list(label_map.swaps)} name one twice"
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
    keep_aspect = d.RESIZE == "keep_aspect"
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
        preset=build_preset(cfg, name, split.annotated.label_map),
        strict=cfg.DATA.STRICT,
        seed=cfg.RNG_SEED,
    )


def build_views(cfg: CfgNode, label_map: LabelMap) -> Views:
    """The fixed views that DATA.FEATURE_VIEWS counts."""
    return Views(build_test_preset(cfg), build_preset(cfg, "train", label_map), seed=cfg.RNG_SEED)


def build_feature_clips(cfg: CfgNode, name: str, split: KeyFrameSplit, store: FeatureStore) -> FeatureClips:
    """The clips of the "train" or "test" split as features of their frames. Raises ValueError where frames are not counted."""
    if not isinstance(split.clock, FrameClock):
        raise ValueError(
            f"DATA.FEATURE_VIEWS ({cfg.DATA.FEATURE_VIEWS}) is for sets whose key frames are counted in frames of video files "
            f"(jhmdb, ucf24), not for {cfg.TRAIN.DATASET}: set it to 0"
        )
    label_map, trains = split.annotated.label_map, name == "train"
    presets = build_views(cfg, label_map)
    augmentation = presets.augmented.augmentation
    return FeatureClips(
        split.annotated.key_frames,
        split.pixels,
        store,
        shape=ClipShape(cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE, "forward" if trains else cfg.TEST.FRAME_ORDER),
        presets=presets,
        views=cfg.DATA.FEATURE_VIEWS if trains else 1,
        min_visible=0.0 if augmentation is None else augmentation.min_visible,
        swaps=() if augmentation is None else augmentation.swap_actions,
        strict=cfg.DATA.STRICT,
        seed=cfg.RNG_SEED,
    )


def build_train_loader(
    cfg: CfgNode, split: KeyFrameSplit, *, rank: int, world_size: int, features: FeatureStore | None = None
) -> TrainBatchLoader:
    """features: where those of the frames are; None for clips of pixels"""
    clips = build_clips(cfg, "train", split) if features is None else build_feature_clips(cfg, "train", split, features)
    batches = TrainBatches(
        len(clips),
        batch_size=cfg.TRAIN.BATCH_SIZE,
        accumulate=cfg.TRAIN.GRAD_ACCUM_STEPS,
        rank=rank,
        world_size=world_size,
        seed=cfg.RNG_SEED,
    )
    batch_bytes = _clip_bytes(cfg, cfg.DATA.TRAIN_CROP_SIZE) * batches.batch_of_one
    loader = _loader(cfg, clips, batch_bytes=batch_bytes, collate_fn=_collate(cfg, split), batch_sampler=batches)
    return TrainBatchLoader(loader, batches, annotated=split.annotated.key_frames)


def build_test_loader(
    cfg: CfgNode, split: KeyFrameSplit, *, rank: int, world_size: int, features: FeatureStore | None = None
) -> DataLoader:
    """features: where those of the frames are; None for clips of pixels"""
    clips = build_clips(cfg, "test", split) if features is None else build_feature_clips(cfg, "test", split, features)
    sampler = ShardSampler(len(clips), rank=rank, world_size=world_size)
    batch_size = max(1, cfg.TEST.BATCH_SIZE // world_size)
    return _loader(
        cfg,
        clips,
        batch_bytes=_clip_bytes(cfg, cfg.DATA.TEST_CROP_SIZE) * batch_size,
        collate_fn=_collate(cfg, split),
        sampler=sampler,
        batch_size=batch_size,
    )


def _collate(cfg: CfgNode, split: KeyFrameSplit) -> partial:
    blank_size = (cfg.DATA.NUM_FRAMES, *_size(cfg.DATA.TRAIN_CROP_SIZE))
    return partial(collate, blank_size=blank_size, num_classes=split.annotated.label_map.num_classes)


def _loader(cfg: CfgNode, dataset: Dataset, *, batch_bytes: int, **sampling: Any) -> DataLoader:
    """A loader whose workers stay alive between epochs.

    batch_bytes: of a batch of clips; sampling: what to draw, in which batches, and how to collate
    """
    workers = cfg.DATA_LOADER.NUM_WORKERS
    check_shared_memory(batch_bytes, workers)
    return ClipLoader(
        Watched(dataset, workers) if workers else dataset,
        num_workers=workers,
        pin_memory=cfg.DATA_LOADER.PIN_MEMORY and cfg.NUM_GPUS > 0,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=begin if workers else None,
        timeout=cfg.DATA_LOADER.TIMEOUT if workers else 0,
        **sampling,
    )


def _clip_bytes(cfg: CfgNode, size: int | list[int]) -> int:
    height, width = _size(size)
    return 3 * cfg.DATA.NUM_FRAMES * height * width


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


def build_label_preset(cfg: CfgNode, split: VideoSplit) -> LabelPreset:
    """What training does to the frames of a video. Raises ValueError for values that cannot be."""
    d, a, image = cfg.DATA, cfg.AUG, split.sampling == "image"
    augmentation = LabelAugmentation(
        **({"area": tuple(d.TRAIN_JITTER_SCALES_RELATIVE)} if d.TRAIN_JITTER_SCALES_RELATIVE else {}),
        **({"aspect": tuple(d.TRAIN_JITTER_ASPECT_RELATIVE)} if d.TRAIN_JITTER_ASPECT_RELATIVE else {}),
        jitter=None if image or d.TRAIN_JITTER_SCALES_RELATIVE else tuple(d.TRAIN_JITTER_SCALES),
        inverse_uniform=d.INV_UNIFORM_SAMPLE,
        flip=d.RANDOM_FLIP,
        rand_augment=a.AA_TYPE if a.ENABLE else "",
        interpolation=a.INTERPOLATION,
        erase_probability=a.RE_PROB if a.ENABLE else 0.0,
        erase_count=a.RE_COUNT,
        erase_mode=a.RE_MODE,
        colour=a.COLOR_JITTER if a.ENABLE and not a.AA_TYPE else 0.0,
    )
    return LabelPreset(
        size=_square("DATA.TRAIN_CROP_SIZE", d.TRAIN_CROP_SIZE),
        short_side=d.TRAIN_JITTER_SCALES[0],
        augmentation=augmentation,
        image=image,
    )


def build_mixup(cfg: CfgNode, num_classes: int) -> Mixup | None:
    """How pairs of clips are mixed, None where they are not."""
    m = cfg.MIXUP
    if not m.ENABLE:
        return None
    return Mixup(
        num_classes=num_classes,
        alpha=m.ALPHA,
        cutmix_alpha=m.CUTMIX_ALPHA,
        probability=m.PROB,
        switch_probability=m.SWITCH_PROB,
        smoothing=m.LABEL_SMOOTH_VALUE,
    )


def build_mask_shape(cfg: CfgNode) -> MaskShape:
    """What masked pre-training hides of a clip. Raises ValueError for values that cannot be."""
    aug, window = cfg.AUG, tuple(cfg.AUG.MASK_WINDOW_SIZE)
    if cfg.MVIT.PATCH_2D:  # a cell is a patch
        height, width = _size(cfg.DATA.TRAIN_CROP_SIZE)
        window = (1, height // cfg.MVIT.PATCH_STRIDE[0], width // cfg.MVIT.PATCH_STRIDE[1])
    kind = "tube" if aug.MASK_TUBE else "frames" if aug.MASK_FRAMES else "cube"
    return MaskShape(window, aug.MASK_RATIO, kind)


def build_label_loader(
    cfg: CfgNode, split: VideoSplit, *, rank: int, world_size: int, change: StepChange | None = None
) -> TrainBatchLoader:
    """The training clips of a classifier. change: what is done to the batches of a step instead of mixing them."""
    classes = len(split.videos.class_names)
    mixup = build_mixup(cfg, classes)
    clips = LabelledClips(
        split.videos,
        split.pixels,
        sampling=build_clip_sampling(cfg, split),
        preset=build_label_preset(cfg, split),
        repeats=cfg.AUG.NUM_SAMPLE,
        sample_once=cfg.AUG.SAMPLE_ONCE,
        jitter_fps=cfg.DATA.TRAIN_JITTER_FPS,
        strict=cfg.DATA.STRICT,
        seed=cfg.RNG_SEED,
    )
    pairs = mixup is not None and mixup.probability > 0
    batches = TrainBatches(
        len(clips),
        batch_size=cfg.TRAIN.BATCH_SIZE,
        accumulate=cfg.TRAIN.GRAD_ACCUM_STEPS,
        rank=rank,
        world_size=world_size,
        seed=cfg.RNG_SEED,
        pairs=pairs,
        what="videos",
    )
    collate_fn = partial(
        collate_labelled,
        blank_size=(cfg.DATA.NUM_FRAMES, *_size(cfg.DATA.TRAIN_CROP_SIZE)),
        num_classes=classes if split.videos.multi_label else None,
        pairs=pairs,
    )
    batch_bytes = _clip_bytes(cfg, cfg.DATA.TRAIN_CROP_SIZE) * batches.batch_of_one * cfg.AUG.NUM_SAMPLE
    loader = _loader(cfg, clips, batch_bytes=batch_bytes, collate_fn=collate_fn, batch_sampler=batches)
    if mixup is not None and change is None:
        change = Mixing(mixup, seed=cfg.RNG_SEED)
    return TrainBatchLoader(loader, batches, clips_per_item=cfg.AUG.NUM_SAMPLE, change=change, annotated=split.videos)


def _square(key: str, size: int | list[int]) -> int:
    height, width = _size(size)
    if height != width:
        raise ValueError(f"the clips of a classifier are square, and {key} is {size}; give one number")
    return height


def build_view_crops(cfg: CfgNode, sampling: ClipSampling, num_crops: int) -> ViewCrops:
    """The square crops that clips of this sampling are tested on."""
    side, ratio = _square("DATA.TEST_CROP_SIZE", cfg.DATA.TEST_CROP_SIZE), cfg.DATA.IN_VAL_CROP_RATIO
    if sampling.kind == "image":
        return ViewCrops(side, num_crops, int(side / ratio) if ratio else 0, "bicubic")
    if sampling.rule == "mmaction2":
        return ViewCrops(side, num_crops, side, "bilinear", mmaction2=True)
    if sampling.kind == "time":
        return ViewCrops(side, num_crops, cfg.DATA.TRAIN_JITTER_SCALES[0] if num_crops == 1 else side, "area")
    return ViewCrops(side, num_crops, side, "bilinear")


def clip_counts(cfg: CfgNode) -> list[int]:
    """Clips of a video, of each of the run's tests; the last one is the result."""
    return list(cfg.TEST.NUM_TEMPORAL_CLIPS) or [cfg.TEST.NUM_ENSEMBLE_VIEWS]


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
    batch_bytes = _clip_bytes(cfg, cfg.DATA.TEST_CROP_SIZE) * views.num_views
    loader = _loader(cfg, views, batch_bytes=batch_bytes, sampler=sampler, batch_size=None)
    return Chunks(loader, most=max(1, cfg.TEST.BATCH_SIZE // world_size), per_item=views.num_views)
