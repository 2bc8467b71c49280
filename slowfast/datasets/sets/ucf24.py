"""UCF101-24: people on the frames in which an action goes on."""

from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.people.annotated_set import AnnotatedSet, without_missing_videos
from slowfast.datasets.annotations.people.tubes import read_tubes
from slowfast.datasets.clips.key_frame_clips import FrameClock, every_nth
from slowfast.datasets.registry import Reading, register_dataset
from slowfast.datasets.sets.pixels import existing_file, video_files, videos_or_cache
from slowfast.datasets.split import KeyFrameSplit

TOLD_WHEN = "the model saw annotated frames only (TUBES.FRAMES), which tell when an action goes on"


@register_dataset("ucf24", Reading(counts_frames=True))
def build_ucf24(cfg: CfgNode, split: str) -> KeyFrameSplit:
    u = cfg.UCF24
    tube_set = read_tubes(existing_file(Path(u.ANNOTATION_FILE), "UCF24.ANNOTATION_FILE"), split=u.SPLIT, subset=split)
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
    videos = video_files(cfg, u.VIDEO_DIR)
    annotated = without_missing_videos(
        annotated, videos.check, ignore=u.IGNORE_MISSING_VIDEOS, folder_key="UCF24.VIDEO_DIR"
    )
    return KeyFrameSplit(
        annotated,
        videos_or_cache(cfg, u.VIDEO_DIR, videos),
        FrameClock(),
        frame_by_frame=True,
        no_video_map=TOLD_WHEN if frames == "annotated" else "",
    )
