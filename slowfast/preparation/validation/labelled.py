"""Labelled videos: lists and folders of a classifier against their files."""

from collections.abc import Sequence

import numpy as np

from slowfast.datasets.split import VideoSplit
from slowfast.preparation.faults import Faults
from slowfast.preparation.validation.rows import report_shared
from slowfast.utils.progress import progress
from slowfast.video.probe import probe
from slowfast.video.reader import VideoFiles
from slowfast.video.source import ClipReadError

_SHOWN = 5


def check_labelled(splits: Sequence[tuple[str, VideoSplit]], faults: Faults, *, decode: bool) -> None:
    """Files that are missing or cannot be opened, classes without a video, videos of both splits.

    decode: read the first, the middle and the last frame of each video
    """
    for name, split in splits:
        if isinstance(split.pixels, VideoFiles):
            for error in probe(split.pixels, split.videos.names, seconds=float("inf")).failed:
                kind = "missing video" if "no such file" in error.reason else "broken video"
                faults.add(kind, f"{name}: {error}")
        if decode:
            _decode(name, split, faults)
        counts = (
            split.videos.labels.sum(axis=0)
            if split.videos.multi_label
            else np.bincount(split.videos.labels, minlength=len(split.videos.class_names))
        )
        gone = [split.videos.class_names[k] for k in np.flatnonzero(counts == 0)]
        if gone:
            shown = ", ".join(gone[:_SHOWN]) + (f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else "")
            faults.add("class without samples", f"{name}: {shown}", count=len(gone))
    if len(splits) == 2:
        shared = sorted(set(splits[0][1].videos.names) & set(splits[1][1].videos.names))
        report_shared(shared, [name for name, _ in splits], faults)


def _decode(name: str, split: VideoSplit, faults: Faults) -> None:
    told = {fault.reason for kind in ("missing video", "broken video") for fault in faults.of(kind)}
    for video in progress(
        list(split.videos.names), what=f"videos of {name}", total=len(split.videos.names), unit="video"
    ):
        try:
            last = len(split.pixels.length(video)) - 1
            split.pixels.read_positions(video, np.unique([0, last // 2, last]), short_side=64)
        except ClipReadError as error:
            reason = f"{name}: {error}"
            if reason not in told:
                faults.add("unreadable", reason)
