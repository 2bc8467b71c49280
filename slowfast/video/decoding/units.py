"""The units of a coded frame of H.264 or HEVC: slices, parameters, SEIs.

Source: ITU-T H.264 and H.265: Annex B (start codes); ISO/IEC 14496-15 (lengths in place of start codes).
"""

from __future__ import annotations

from collections.abc import Iterator

_START = b"\0\0\1"
_LENGTHS_AT = {"h264": 4, "hevc": 21}  # byte of the header whose last two bits tell how long a length is


class Units:
    """Of one stream.

    codec:  FFmpeg's name of it
    header: the stream's extradata, which tells whether units follow start codes or lengths
    """

    def __init__(self, codec: str, header: bytes | None) -> None:
        place = _LENGTHS_AT.get(codec, 0)
        self._length = (header[place] & 3) + 1 if header and header[0] == 1 and len(header) > place else 0

    def of(self, data: bytes) -> Iterator[tuple[int, int]]:
        """(start, end) of each unit of a coded frame, none of them empty."""
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
