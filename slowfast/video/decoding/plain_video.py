"""Whether a video is whole and without any oddity: then frames that nobody asks for need not be looked at (unseen.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slowfast.video.decoding.open_video import OpenVideo
from slowfast.video.decoding.whole_video import trusted_packets
from slowfast.video.source import ClipReadError


def is_plain(path: Path) -> bool:
    """Decodes every frame: H.264 in which each packet is a frame, in a file without restarts, whose frames come in the order
    of their timestamps, all turned the same way.

    Raises ClipReadError at the first damage.
    """
    with OpenVideo(path, threads=1) as video:
        packets = trusted_packets(video) if video.codec == "h264" and not video.may_be_joined else None
    with OpenVideo(path, threads=1, remember=False) as video:
        stamps: list[int] = []
        for _, frame in video.frames():
            if video.in_doubt:
                break
            if frame.pts is not None:
                stamps.append(frame.pts)
        if video.damaged:
            raise ClipReadError(str(path), max(video.damaged[0][0], 0.0), "the data is damaged after this")
        if packets is None or not video.is_plain:
            return False
    return np.array_equal(packets.pts, stamps)
