"""Frames of H.264 that need not be decoded: nobody asks for them, and no other frame is made from them.

Most B-frames are such frames. A clip of every fourth frame decodes about half of the frames between, and gets the same
pixels. Damage in a frame that is left out would not be noticed, so only files are read so that are known to be whole
(stored/known_whole.py).

Source: ITU-T H.264, 7.4.1: nal_ref_idc is 0 in all slices of a picture that is no reference of another.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator, Sequence

from slowfast.video.decoding.units import Units
from slowfast.video.pyav import av

# Packets that are looked at before the fate of one is decided: the frame that is shown next is among them, as no frame is
# coded more than 16 places away from where it is shown.
_AHEAD = 32
_SLICES = range(1, 6)  # kinds of units of H.264 that hold pixels


class Unseen:
    """Which packets of a stream may be left out.

    moments:   ascending, in ticks of the stream: what is shown then is wanted, see Timeline.at_times
    tolerance: ticks by which a frame may start after a moment and be shown then
    margin:    ticks by which moments and frames may be rounded
    header:    the stream's extradata, see Units
    """

    def __init__(
        self, moments: Sequence[float], header: bytes | None, *, tolerance: float = 0.0, margin: float = 0.0
    ) -> None:
        self._moments, self._tolerance, self._margin = list(moments), tolerance, margin
        self._units = Units("h264", header)

    def without(self, packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
        """`packets`, in the order of decoding, without those that may be left out."""
        waiting: deque[av.Packet] = deque()
        starts: list[int] = []  # timestamps of the packets around, ascending
        for packet in packets:
            waiting.append(packet)
            if packet.pts is not None:
                insort(starts, packet.pts)
            if len(waiting) > _AHEAD:
                yield from self._kept(waiting.popleft(), starts)
            if len(starts) > 4 * _AHEAD:
                del starts[:_AHEAD]
        while waiting:
            yield from self._kept(waiting.popleft(), starts)

    def _kept(self, packet: av.Packet, starts: list[int]) -> Iterator[av.Packet]:
        start = packet.pts
        if start is None or not packet.size or self._is_seen(start, starts) or self.is_reference(packet):
            yield packet

    def _is_seen(self, start: int, starts: list[int]) -> bool:
        """Shown at one of the moments; rather too often than not, where the frames beside it are not known.

        A frame takes over from the one before halfway between their starts, and at most `tolerance` before its own.
        """
        first, following = bisect_left(starts, start), bisect_right(starts, start)
        earlier = starts[first - 1] if first else -math.inf
        later = starts[following] if following < len(starts) else math.inf
        since = max(start - self._tolerance, (earlier + start) / 2) - self._margin
        until = max(later - self._tolerance, (start + later) / 2) + self._margin
        place = bisect_left(self._moments, since)
        return place < len(self._moments) and self._moments[place] < until

    def is_reference(self, packet: av.Packet) -> bool:
        """Other frames may be made from it; True also where that cannot be told."""
        data = bytes(packet)
        for start, _ in self._units.of(data):
            first = data[start]
            if first & 31 in _SLICES:
                return bool(first >> 5 & 3)
        return True
