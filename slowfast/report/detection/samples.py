"""A few key frames of the test split with what was found on them: what an evaluation between epochs shows."""

import numpy as np
from fvcore.common.config import CfgNode

from slowfast.datasets.split import KeyFrameSplit
from slowfast.report.detection.cards import key_picture
from slowfast.report.detection.clips import ReportGallery
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.utils.logging import get_logger
from slowfast.video.source import ClipReadError

SHOWN = 4


def sample_pictures(cfg: CfgNode, split: KeyFrameSplit, detections: BoxTable) -> dict[str, np.ndarray]:
    """{"video, time": (h, w, 3) uint8 RGB}: the same key frames, evenly spread, each time. One that cannot be read is left
    out, and said."""
    key_frames, gallery = split.annotated.key_frames, ReportGallery(cfg, split)
    pictures = {}
    for index in np.unique(np.linspace(0, len(key_frames) - 1, min(SHOWN, len(key_frames))).round().astype(int)):
        video, time = key_frames.videos[key_frames.video[index]], key_frames.timestamp[index].item()
        try:
            pictures[f"{video}, {time:g}"] = key_picture(gallery.drawn(video, time, detections))
        except ClipReadError as error:
            get_logger().info("no picture of it for TensorBoard: %s", error)
    return pictures
