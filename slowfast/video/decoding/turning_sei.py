"""Whether a coded frame of H.264 or HEVC asks to be turned, without decoding it.

Source: ITU-T H.264 and H.265: Annex B (start codes), "display orientation" SEI (payload type 47 in both); ISO/IEC
14496-15 (lengths in place of start codes).
"""

from __future__ import annotations

from collections.abc import Iterator

from slowfast.video.pyav import av

_DISPLAY_ORIENTATION = 47
_START = b"\0\0\1"
# Of each codec: the bits of a unit's first byte that are its kind; kinds of slices; the kind of an SEI before them.
_UNITS = {"h264": (lambda first: first & 31, range(1, 6), 6), "hevc": (lambda first: first >> 1 & 63, range(32), 39)}
_LENGTHS_AT = {"h264": 4, "hevc": 21}  # byte of the header whose last two bits tell how long a length is


class TurningSEI:
    """Looks at the coded frames of one stream.

    codec:  FFmpeg's name of it; frames of others than h264 and hevc never ask
    header: the stream's extradata, which tells whether units follow start codes or lengths
    """

    def __init__(self, codec: str, header: bytes | None) -> None:
        self._units = _UNITS.get(codec)
        place = _LENGTHS_AT.get(codec, 0)
        self._length = (header[place] & 3) + 1 if header and header[0] == 1 and len(header) > place else 0

    def is_in(self, packet: av.Packet) -> bool:
        """May be True where it is not so (other SEIs hold the same byte), never False where it is."""
        if self._units is None:
            return False
        kind_of, slices, sei = self._units
        data = bytes(packet)
        for start, end in self._spans(data):
            kind = kind_of(data[start])
            if kind in slices:  # what concerns a frame comes before it
                return False
            if kind == sei and _DISPLAY_ORIENTATION in data[start:end]:
                return True
        return False

    def _spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """(start, end) of each unit."""
        if self._length:
            place = self._length
            while place < len(data):
                end = place + int.from_bytes(data[place - self._length : place], "big")
                yield place, end
                place = end + self._length
            return
        place = data.find(_START)
        while 0 <= place < len(data) - len(_START):
            following = data.find(_START, place + len(_START))
            yield place + len(_START), len(data) if following < 0 else following
            place = following
