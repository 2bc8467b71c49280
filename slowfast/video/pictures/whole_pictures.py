"""Whether the file of a picture is there to its end: OpenCV fills what a cut-off one lacks with grey, or black."""

import re

_PNG = b"\x89PNG\r\n\x1a\n"
# In the coded pixels 0xFF is followed by 0x00, or by one of the eight restart marks; any other pair is a new segment.
_END_OF_PIXELS = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_END, _PIXELS = 0xD9, 0xDA
_SEQUENTIAL = (0xC0, 0xC1)  # headers of pictures whose colours may all be in one run of coded pixels
_ALONE = {0x01, *range(0xD0, 0xD9)}  # segments without a length


def what_is_missing(data: bytes) -> str:
    """Why these are not the bytes of a whole picture: "the JPEG is cut off (812 bytes, no end marker)"; "" where they are.

    Bytes behind the end are no fault. Files that are neither JPEG nor PNG are not looked at.
    """
    if data[:2] == b"\xff\xd8" and not _jpeg_ends(data):
        return f"the JPEG is cut off ({len(data)} bytes, no end marker)"
    if data[: len(_PNG)] == _PNG and not _png_ends(data):
        return f"the PNG is cut off ({len(data)} bytes, no end chunk)"
    return ""


def _jpeg_ends(data: bytes) -> bool:
    """The end marker of the picture itself is there; that of a thumbnail in it does not count."""
    place, colours = 2, 0
    while place + 2 <= len(data):
        if data[place] != 0xFF:
            return False
        mark = data[place + 1]
        if mark == _END:
            return True
        if mark == 0xFF:  # fill bytes may stand before a mark
            place += 1
            continue
        if mark in _ALONE:
            place += 2
            continue
        if mark in _SEQUENTIAL:
            colours = int.from_bytes(data[place + 9 : place + 10], "big")
        # With all colours in one run there is no other segment after it, and no end marker in it: the last bytes tell.
        only_run = mark == _PIXELS and data[place + 4 : place + 5] == bytes([colours])
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if only_run and data.endswith(b"\xff\xd9") and place + 2 <= len(data):
            return True
        if mark == _PIXELS:
            found = _END_OF_PIXELS.search(data, place)
            if found is None:
                return False
            place = found.start()
    return False


def _png_ends(data: bytes) -> bool:
    place = len(_PNG)
    while place + 12 <= len(data):
        if data[place + 4 : place + 8] == b"IEND":
            return True
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return False
