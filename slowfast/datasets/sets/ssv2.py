"""Something-Something v2 from its JSON files, as video files or as PySlowFast's lists of extracted frames."""

from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.videos.ssv2 import check_frame_list, read_ssv2, ssv2_file
from slowfast.datasets.registry import Reading, register_dataset
from slowfast.datasets.sets.labels import refuse_label_file
from slowfast.datasets.sets.pixels import video_files
from slowfast.datasets.split import VideoSplit
from slowfast.video.pictures.frames import FrameFolders
from slowfast.video.source import VideoSource

# The labels of its test part were never published: the validation part serves for both, as in PySlowFast.
PARTS = {"train": "train", "val": "validation", "test": "validation"}
FRAME_LISTS = {"train": "train.csv", "val": "val.csv", "test": "val.csv"}


@register_dataset("ssv2", Reading("segments", bgr=True))
def build_ssv2(cfg: CfgNode, split: str) -> VideoSplit:
    refuse_label_file(cfg, "ssv2")
    folder, prefix = Path(cfg.DATA.PATH_TO_DATA_DIR), cfg.DATA.PATH_PREFIX or "."
    videos = read_ssv2(folder, part=PARTS[split])
    source, frame_list = ssv2_file(folder, PARTS[split]), folder / FRAME_LISTS[split]
    pixels: VideoSource
    if frame_list.is_file():
        folders = FrameFolders(prefix, fps=cfg.DATA.TARGET_FPS, frame_lists=frame_list)
        check_frame_list(frame_list, folders.videos, videos, source)
        pixels = folders
        note = f"ssv2 {split}: labels of {source.name}, extracted frames of {frame_list}"
    else:
        pixels = video_files(cfg, prefix)
        note = f"ssv2 {split}: labels of {source.name}, video files (there is no {frame_list})"
    return VideoSplit(videos, pixels, sampling="segments", bgr=True, notes=(note,))
