"""Pictures with bytes behind their end are whole, pictures cut anywhere are not, whatever lies in the file."""

import cv2
import numpy as np
import pytest

from slowfast.video.pictures.whole_pictures import what_is_missing
from tests.unit.video.video_maker import picture

THUMBNAIL = cv2.imencode(".jpg", picture(3)[:16, :16])[1].tobytes()


def encoded(kind: str, *options: int) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    return cv2.imencode(kind, noise, options)[1].tobytes()


def with_thumbnail(jpeg: bytes) -> bytes:
    """A segment of application data that holds a whole JPEG of its own."""
    return jpeg[:2] + b"\xff\xe1" + (len(THUMBNAIL) + 2).to_bytes(2, "big") + THUMBNAIL + jpeg[2:]


PLAIN = encoded(".jpg")
JPEGS = {
    "plain": PLAIN,
    "progressive": encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restart marks": encoded(".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    "thumbnail": with_thumbnail(PLAIN),
    "fill bytes": PLAIN[:2] + b"\xff\xff" + PLAIN[2:],
    # Marks without a length: what stands behind them is the next mark, not a number of bytes to pass over.
    "a temporary mark": PLAIN[:2] + b"\xff\x01" + PLAIN[2:],
    "a first and a last restart mark before the pixels": PLAIN[:2] + b"\xff\xd0\xff\xd7" + PLAIN[2:],
}


@pytest.mark.parametrize("kind", JPEGS)
def test_jpegs(kind):
    data = JPEGS[kind]
    for behind in (b"", b"\0" * 4096, b"a camera's notes" * 200):
        assert what_is_missing(data + behind) == ""
    for length in (2, 3, 4, 5, len(data) // 3, len(data) // 2, len(data) - 200, len(data) - 1):
        assert what_is_missing(data[:length]) == f"the JPEG is cut off ({length} bytes, no end marker)"


def test_a_thumbnail_does_not_end_a_picture():
    data = JPEGS["thumbnail"]
    cut = data[: 6 + len(THUMBNAIL)]
    assert cut.endswith(b"\xff\xd9") and "cut off" in what_is_missing(cut)


def test_an_end_marker_among_segments_between_runs_does_not_end_a_picture():
    """Colours in runs of their own, and a table between them that happens to hold the marker's bytes, where it is cut off."""
    colours = b"\xff\xc0\x00\x11\x08\x00\x08\x00\x08\x03" + 9 * b"\x11"
    run = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"coded"
    table = b"\xff\xc4\x00\x20" + b"\xff\xd9"
    assert "cut off" in what_is_missing(b"\xff\xd8" + colours + run + table)
    assert what_is_missing(b"\xff\xd8" + colours + run + table + 28 * b"\0" + run + b"\xff\xd9") == ""


def test_pngs_and_others():
    data = encoded(".png")
    assert what_is_missing(data) == what_is_missing(data + b"notes") == ""
    for length in (8, 20, len(data) // 2, len(data) - 9):
        assert what_is_missing(data[:length]) == f"the PNG is cut off ({length} bytes, no end chunk)"
    assert what_is_missing(b"") == what_is_missing(b"not a picture") == ""
