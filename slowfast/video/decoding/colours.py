"""From a decoded frame to RGB."""

from __future__ import annotations

import numpy as np

from slowfast.video.decoding.notes import note
from slowfast.video.pyav import av

# FFmpeg's numbers of the transfer characteristics of HDR: SMPTE ST 2084 (PQ, HDR10, Dolby Vision) and ARIB STD-B67 (HLG).
_HDR = {16: "PQ", 18: "HLG"}


class ToRGB:
    """Converts the frames of one video; one converter is kept, as making it costs as much again as a conversion.

    One thread: the scaler's own threads, as many as the machine has cores, take three times as long for a frame.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._reformatter = av.video.reformatter.VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """(H, W, 3) uint8, as stored. HDR is converted as if it were not, and looks pale; the log says so."""
        if frame.color_trc in _HDR:
            text = f"its colours are HDR ({_HDR[frame.color_trc]}) and are not tone-mapped: pictures look pale"
            note("hdr", self._path, text)
        picture: np.ndarray = self._reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        return picture
