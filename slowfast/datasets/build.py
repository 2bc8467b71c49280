"""From config to data sets and loaders; the only file of this package that sees a config."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from fvcore.common.config import CfgNode
from torch.utils.data import DataLoader

from slowfast.datasets.annotations.annotated_set import AnnotatedSet, without_missing_videos
from slowfast.datasets.annotations.ava import read_ava
from slowfast.datasets.annotations.charades import read_charades
from slowfast.datasets.annotations.jhmdb import read_jhmdb
from slowfast.datasets.annotations.proposals import with_proposals
from slowfast.datasets.annotations.tubes import read_tubes, tubes_of_table
from slowfast.datasets.annotations.video_lists import LabelledVideos, read_ssv2, read_video_list
from slowfast.datasets.clips.collate import collate
from slowfast.datasets.clips.key_frame_clips import (
    ClipShape,
    FrameClock,
    KeyFrameClips,
    SecondClock,
    every_nth,
    make_loader,
    rows_on_key_frames,
)
from slowfast.datasets.clips.presets import Augmentation, DetectionPreset, InputSize
from slowfast.datasets.clips.samplers import ShardSampler, TrainBatches
from slowfast.datasets.clips.video_views import FrameViews, VideoViews, ViewShape
from slowfast.structures.clip import ClipBatch
from slowfast.video.cache import CachedVideos
from slowfast.video.frames import FrameFolders
from slowfast.video.reader import VideoFiles
from slowfast.video.source import PixelSource

CHARADES_LIST = "val.csv"


def read_annotations(cfg: CfgNode, split: str) -> AnnotatedSet:
    """The annotated "train" or "test" split of TRAIN.DATASET or TEST.DATASET."""
    name = cfg.TRAIN.DATASET if split == "train" else cfg.TEST.DATASET
    if name not in _READERS:
        raise ValueError(
            f"there is no detection data set {name!r} ({split.upper()}.DATASET); known: {', '.join(_READERS)}"
        )
    annotated = _READERS[name](cfg, split)
    if annotated.label_map.num_classes != cfg.MODEL.NUM_CLASSES:
        raise ValueError(
            f"MODEL.NUM_CLASSES is {cfg.MODEL.NUM_CLASSES}, but the label map of {name} ({split}) has "
            f"{annotated.label_map.num_classes} classes; set MODEL.NUM_CLASSES {annotated.label_map.num_classes}"
        )
    # Only key frames that the model is shown are evaluated; what was left out, and why, is in the notes.
    annotated = replace(annotated, groundtruth=rows_on_key_frames(annotated.groundtruth, annotated.key_frames))
    return _with_given_boxes(cfg, split, name, annotated) if cfg.DETECTION.ENABLE else annotated


def _with_given_boxes(cfg: CfgNode, split: str, dataset: str, annotated: AnnotatedSet) -> AnnotatedSet:
    """The boxes that the two-stage model classifies; the annotated ones unless detected ones are named."""
    a, training = cfg.AVA, split == "train"
    if not training and cfg.DETECTION.BOXES == "groundtruth":
        return annotated
    names = () if dataset != "ava" else a.TRAIN_PREDICT_BOX_LISTS if training else a.TEST_PREDICT_BOX_LISTS
    if not names and training:
        return annotated
    if not names:
        raise ValueError(
            f"DETECTION.BOXES proposals needs boxes to test on {dataset}: name files in AVA.TEST_PREDICT_BOX_LISTS (AVA format "
            "only), or set DETECTION.BOXES groundtruth for an oracle"
        )
    files = [Path(a.ANNOTATION_DIR) / name for name in names]
    return with_proposals(annotated, files, min_score=a.DETECTION_SCORE_THRESH, training=training)


def _read_ava(cfg: CfgNode, split: str) -> AnnotatedSet:
    a = cfg.AVA
    folder = Path(a.ANNOTATION_DIR)
    exclusion = a.TRAIN_EXCLUSION_FILE if split == "train" else a.EXCLUSION_FILE
    annotated = read_ava(
        [folder / name for name in (a.TRAIN_GT_BOX_LISTS if split == "train" else [a.GROUNDTRUTH_FILE])],
        label_map_file=folder / a.TRAIN_LABEL_MAP_FILE,
        eval_label_map_file=folder / a.LABEL_MAP_FILE,
        exclusion_file=folder / exclusion if exclusion else None,
        classes=tuple(a.CLASSES),
        valid_seconds=tuple(a.VALID_SECONDS) or None,
    )
    if a.PIXELS == "frames":
        return annotated
    return without_missing_videos(annotated, VideoFiles(a.VIDEO_DIR), ignore=a.IGNORE_MISSING_VIDEOS)


def _read_jhmdb(cfg: CfgNode, split: str) -> AnnotatedSet:
    j = cfg.JHMDB
    key_frames, label_map, table = read_jhmdb(j.ANNOTATION_DIR, split=j.SPLIT, subset=split)
    key_frames = every_nth(key_frames, j.TRAIN_FRAME_STEP if split == "train" else j.TEST_FRAME_STEP)
    note = f"JHMDB-21 split {j.SPLIT} {split}: {len(key_frames)} key frames of {len(key_frames.videos)} videos"
    return AnnotatedSet(key_frames, table, label_map, label_map, notes=(note,), tubes=tubes_of_table(table))


def _read_ucf24(cfg: CfgNode, split: str) -> AnnotatedSet:
    u = cfg.UCF24
    tube_set = read_tubes(u.ANNOTATION_FILE, split=u.SPLIT, subset=split)
    frames = "annotated" if split == "train" else cfg.TUBES.FRAMES
    key_frames = every_nth(
        tube_set.key_frames(frames=frames), u.TRAIN_FRAME_STEP if split == "train" else u.TEST_FRAME_STEP
    )
    note = f"UCF101-24 split {u.SPLIT} {split}: {len(key_frames)} key frames of {len(key_frames.videos)} videos ({frames} frames)"
    annotated = AnnotatedSet(
        key_frames,
        tube_set.table(frames=frames),
        tube_set.label_map,
        tube_set.label_map,
        notes=(note,),
        tubes=tube_set.tubes,
    )
    return without_missing_videos(annotated, VideoFiles(u.VIDEO_DIR), ignore=u.IGNORE_MISSING_VIDEOS, section="UCF24")


_READERS = {"ava": _read_ava, "jhmdb": _read_jhmdb, "ucf24": _read_ucf24}


def _pixel_source(cfg: CfgNode, dataset: str, split: str) -> PixelSource:
    a = cfg.AVA
    if dataset == "ava" and a.PIXELS == "frames":
        lists = a.TRAIN_LISTS if split == "train" else a.TEST_LISTS
        return FrameFolders(
            a.FRAME_DIR, fps=a.FPS, frame_lists=[Path(a.FRAME_LIST_DIR) / name for name in lists] or None
        )
    threads = 1 if cfg.DATA_LOADER.NUM_WORKERS else 0
    folder = {"ava": a.VIDEO_DIR, "jhmdb": cfg.JHMDB.VIDEO_DIR, "ucf24": cfg.UCF24.VIDEO_DIR}[dataset]
    videos = VideoFiles(folder, threads=threads)
    if not cfg.DATA.CACHE_DIR:
        return videos
    return CachedVideos(videos, cfg.DATA.CACHE_DIR, short_side=cfg.DATA.CACHE_SHORT_SIDE or None)


def _size(size: int | list[int]) -> InputSize:
    return (size, size) if isinstance(size, int) else tuple(size)


def _preset(cfg: CfgNode, split: str, annotated: AnnotatedSet) -> DetectionPreset:
    d = cfg.DATA
    keep_aspect = d.RESIZE == "keep_aspect"
    if split == "test":
        return DetectionPreset(size=_size(d.TEST_CROP_SIZE), keep_aspect=keep_aspect)
    swaps = [tuple(annotated.label_map.to_index(pair).tolist()) for pair in d.FLIP_SWAPS]
    if any(-1 in pair for pair in swaps):
        raise ValueError(
            f"DATA.FLIP_SWAPS {d.FLIP_SWAPS} names a class id that is not in the label map {annotated.label_map.ids}"
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


def build_clips(cfg: CfgNode, split: str, annotated: AnnotatedSet) -> KeyFrameClips:
    """The clips of the "train" (augmented) or "test" split."""
    dataset = cfg.TRAIN.DATASET if split == "train" else cfg.TEST.DATASET
    order = "forward" if split == "train" else cfg.TEST.FRAME_ORDER
    return KeyFrameClips(
        annotated.key_frames,
        _pixel_source(cfg, dataset, split),
        clock=SecondClock(cfg.AVA.FPS, cfg.AVA.FIRST_SECOND) if dataset == "ava" else FrameClock(),
        shape=ClipShape(cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE, order),
        preset=_preset(cfg, split, annotated),
        strict=cfg.DATA.STRICT,
        seed=cfg.RNG_SEED,
    )


def build_train_loader(cfg: CfgNode, annotated: AnnotatedSet, *, rank: int, world_size: int) -> DataLoader:
    clips = build_clips(cfg, "train", annotated)
    batches = TrainBatches(
        len(clips),
        batch_size=cfg.TRAIN.BATCH_SIZE,
        accumulate=cfg.TRAIN.GRAD_ACCUM_STEPS,
        rank=rank,
        world_size=world_size,
        seed=cfg.RNG_SEED,
    )
    return make_loader(clips, collate=_collate(cfg, annotated), batch_sampler=batches, **_worker_arguments(cfg))


def build_test_loader(cfg: CfgNode, annotated: AnnotatedSet, *, rank: int, world_size: int) -> DataLoader:
    clips = build_clips(cfg, "test", annotated)
    sampler = ShardSampler(len(clips), rank=rank, world_size=world_size)
    batch_size = max(1, cfg.TEST.BATCH_SIZE // world_size)
    return make_loader(
        clips, collate=_collate(cfg, annotated), sampler=sampler, batch_size=batch_size, **_worker_arguments(cfg)
    )


def _collate(cfg: CfgNode, annotated: AnnotatedSet) -> Callable[[list], ClipBatch]:
    blank_size = (cfg.DATA.NUM_FRAMES, *_size(cfg.DATA.TRAIN_CROP_SIZE))
    return partial(collate, blank_size=blank_size, num_classes=annotated.label_map.num_classes)


def _worker_arguments(cfg: CfgNode) -> dict:
    return {"num_workers": cfg.DATA_LOADER.NUM_WORKERS, "pin_memory": cfg.DATA_LOADER.PIN_MEMORY and cfg.NUM_GPUS > 0}


# ------------------------------------------------------------------------------------------------ classification


def read_labelled_videos(cfg: CfgNode) -> LabelledVideos:
    """The videos that TEST.DATASET lists for testing a classifier."""
    d = cfg.DATA
    if cfg.TEST.DATASET == "ssv2":
        videos = read_ssv2(d.PATH_TO_DATA_DIR)
    elif cfg.TEST.DATASET == "charades":
        if not d.MULTI_LABEL:
            raise ValueError("DATA.MULTI_LABEL (False) must be True on charades: its videos have many labels each")
        videos = read_charades(Path(d.PATH_TO_DATA_DIR) / CHARADES_LIST, num_classes=cfg.MODEL.NUM_CLASSES)
    else:
        videos = read_video_list(
            Path(d.PATH_TO_DATA_DIR) / "test.csv",
            num_classes=cfg.MODEL.NUM_CLASSES,
            separator=d.PATH_LABEL_SEPARATOR,
            multi_label=d.MULTI_LABEL,
        )
    if len(videos.class_names) != cfg.MODEL.NUM_CLASSES:
        raise ValueError(
            f"MODEL.NUM_CLASSES is {cfg.MODEL.NUM_CLASSES}, but {cfg.TEST.DATASET} has {len(videos.class_names)} classes; "
            f"set MODEL.NUM_CLASSES {len(videos.class_names)}"
        )
    return videos


def build_view_loader(cfg: CfgNode, videos: LabelledVideos, *, rank: int, world_size: int) -> DataLoader:
    """One item per video of this process's share, with all of its views."""
    size = _size(cfg.DATA.TEST_CROP_SIZE)
    if size[0] != size[1]:
        raise ValueError(f"views are square, and DATA.TEST_CROP_SIZE is {size}; give one number")
    shape = ViewShape(
        num_frames=cfg.DATA.NUM_FRAMES,
        sampling_rate=cfg.DATA.SAMPLING_RATE,
        fps=cfg.AVA.FPS,
        size=size[0],
        num_clips=cfg.TEST.NUM_ENSEMBLE_VIEWS,
        num_crops=cfg.TEST.NUM_SPATIAL_CROPS,
        whole_video=cfg.TEST.DATASET == "ssv2",
    )
    root, views = cfg.DATA.PATH_PREFIX or ".", {"shape": shape, "strict": cfg.DATA.STRICT}
    if cfg.TEST.DATASET == "charades":
        lists = Path(cfg.DATA.PATH_TO_DATA_DIR) / CHARADES_LIST
        dataset = FrameViews(videos.paths, FrameFolders(root, fps=cfg.AVA.FPS, frame_lists=lists), **views)
    else:
        files = VideoFiles(root, threads=1 if cfg.DATA_LOADER.NUM_WORKERS else 0)
        dataset = VideoViews(videos.paths, files, **views)
    return DataLoader(
        dataset,
        sampler=ShardSampler(len(videos.paths), rank=rank, world_size=world_size),
        batch_size=None,
        multiprocessing_context="spawn" if cfg.DATA_LOADER.NUM_WORKERS else None,
        **_worker_arguments(cfg),
    )
