"""Whether a coded frame of H.264 or HEVC asks to be turned, without decoding it.

Source: ITU-T H.264 and H.265, "display orientation" SEI (payload type 47 in both).
"""

from __future__ import annotations

from slowfast.video.decoding.units import Units
from slowfast.video.pyav import av

_DISPLAY_ORIENTATION = 47
# Of each codec: the bits of a unit's first byte that are its kind; kinds of slices; the kind of an SEI before them.
_UNITS = {"h264": (lambda first: first & 31, range(1, 6), 6), "hevc": (lambda first: first >> 1 & 63, range(32), 39)}


class TurningSEI:
    """Looks at the coded frames of one stream.

    codec:  FFmpeg's name of it; frames of others than h264 and hevc never ask
    header: the stream's extradata, see Units
    """

    def __init__(self, codec: str, header: bytes | None) -> None:
        self._kinds = _UNITS.get(codec)
        self._units = Units(codec, header)

    def is_in(self, packet: av.Packet) -> bool:
        """May be True where it is not so (other SEIs hold the same byte), never False where it is."""
        if self._kinds is None:
            return False
        kind_of, slices, sei = self._kinds
        data = bytes(packet)
        for start, end in self._units.of(data):
            kind = kind_of(data[start])
            if kind in slices:  # what concerns a frame comes before it
                return False
            if kind == sei and _DISPLAY_ORIENTATION in data[start:end]:
                return True
        return False
