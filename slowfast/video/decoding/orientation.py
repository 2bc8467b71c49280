"""Which way up a frame is shown: the eight orientations that a display matrix (or a rotation SEI) can ask for.

Source: AV_FRAME_DATA_DISPLAYMATRIX of FFmpeg, ISO/IEC 14496-12 (`tkhd`), H.264 and HEVC "display orientation" SEI.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np

from slowfast.video.pyav import av

_ASKEW = math.tan(math.radians(5))  # a matrix that is further from the axes than this is said in the log


@dataclass(frozen=True)
class Orientation:
    """From the picture as it is stored to the picture as it is shown: first transposed, then mirrored.

    transposed: rows become columns
    up_down:    the order of the rows is reversed; left_right: that of the columns
    askew:      degrees by which the file asks for more than that (a free angle), which is not done
    """

    transposed: bool = False
    up_down: bool = False
    left_right: bool = False
    askew: float = 0.0

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """(H, W, C) as stored -> (H, W, C) or (W, H, C) as shown; the same array where nothing is to be done."""
        shown = picture.swapaxes(0, 1) if self.transposed else picture
        shown = shown[::-1] if self.up_down else shown
        shown = shown[:, ::-1] if self.left_right else shown
        return picture if shown is picture else np.ascontiguousarray(shown)


UPRIGHT = Orientation()


class Orientations:
    """The orientation of each frame of a stream, noted as they come out of the decoder, and asked for later.

    A container tells it of all frames. An SEI stands at a key frame and holds up to the next one, and FFmpeg tells it
    of the frame alone that it stands at.

    Frames are asked where they may say something new, and never themselves: once asked for its side data, a frame of
    PyAV and they refer to each other, and the decoder's memory of it is free only when Python next collects such
    circles. A stamp of four pixels carries the same side data.
    """

    def __init__(self) -> None:
        self._since: list[int] = []  # timestamps from which another one holds
        self._held: list[Orientation] = []
        self._rotation = 0  # degrees that PyAV tells of the frame that was asked last
        self._anywhere = False  # frames that are no key frames may say something new
        self._stamps = av.video.reformatter.VideoReformatter()

    def look_anywhere(self) -> None:
        """An SEI was found that does not stand at a key frame."""
        self._anywhere = True

    @property
    def change(self) -> bool:
        """More than one was noted, or one may stand anywhere."""
        return self._anywhere or len(self._held) > 1

    def note(self, frame: av.VideoFrame) -> None:
        rotation = frame.rotation
        if self._held and rotation == self._rotation and not frame.key_frame and not self._anywhere:
            return
        self._rotation = rotation
        stamp = self._stamps.reformat(frame, width=2, height=2, format="gray", interpolation="POINT", threads=1)
        now = orientation_of(stamp)
        if now is None:
            now = UPRIGHT if frame.key_frame or not self._held else self._held[-1]
        if not self._held or now != self._held[-1]:
            self._since.append(frame.pts or 0)
            self._held.append(now)

    def of(self, frame: av.VideoFrame) -> Orientation:
        if len(self._held) <= 1:
            return self._held[0] if self._held else UPRIGHT
        return self._held[-1 if frame.pts is None else max(bisect_right(self._since, frame.pts) - 1, 0)]

    def forget(self) -> None:
        """What comes next is another part of the stream."""
        self._since.clear()
        self._held.clear()


def orientation_of(frame: av.VideoFrame) -> Orientation | None:
    """What the frame itself carries, from its container or its bit stream; None where it carries nothing."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")  # PyAV does not say that it is a buffer
    return None if data is None else from_matrix(np.frombuffer(data, dtype=np.int32))


def from_matrix(matrix: np.ndarray) -> Orientation:
    """The orientation nearest to a display matrix, (9,) integers (a, b, u, c, d, v, x, y, w).

    The pixel at (x, y), y downwards, is shown at (a x + c y, b x + d y), moved so that no coordinate is negative. How
    far pixels are stretched is not looked at: FFmpeg counts that among the aspect of the pixels.
    """
    a, b, _, c, d = (int(value) for value in matrix[:5])
    on_axes, across = abs(a) + abs(d), abs(b) + abs(c)
    if not on_axes and not across:
        return UPRIGHT  # a matrix of zeros says nothing
    small, large = min(on_axes, across), max(on_axes, across)
    askew = math.degrees(math.atan2(small, large)) if small > _ASKEW * large else 0.0
    if across > on_axes:
        return Orientation(True, b < 0, c < 0, askew)
    return Orientation(False, d < 0, a < 0, askew)
