"""Colours of decoded videos by the matrices of the standards: an older PyAV takes BT.709 for BT.601, 38 of 255 off."""

import av
import numpy as np
import pytest

from slowfast.video.reader import read_all

# (Kr, Kb) of ITU-R BT.601, BT.709 and BT.2020; FFmpeg's number of each
STANDARDS = {"601": (0.299, 0.114, 6), "709": (0.2126, 0.0722, 1), "2020": (0.2627, 0.0593, 9)}
YCBCR = [(81, 90, 240), (145, 54, 34), (41, 240, 110), (126, 128, 128), (180, 100, 160), (60, 150, 100)]
SIZE = 32


def rgb(colour: tuple[int, int, int], kr: float, kb: float, full: bool) -> np.ndarray:
    """R, G, B of 8-bit Y', Cb, Cr, from the definition of the standard: black is 16 and white 235, or 0 and 255."""
    y, cb, cr = colour
    luma = y / 255 if full else (y - 16) / 219
    span = 255 if full else 224
    red, blue = luma + 2 * (1 - kr) * (cr - 128) / span, luma + 2 * (1 - kb) * (cb - 128) / span
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(255 * np.array([red, green, blue]), 0, 255)


def write(path, number: int | None, full: bool) -> None:
    """A lossless file with a frame of each colour. number: of the standard that it names, None for none."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5, options={"qp": "0"})
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.color_range = 2 if full else 1
        if number is not None:
            stream.codec_context.colorspace = number
        for y, cb, cr in YCBCR:
            planes = np.repeat(np.array([y, cb, cr], np.uint8), [SIZE * SIZE, SIZE * SIZE // 4, SIZE * SIZE // 4])
            frame = av.VideoFrame.from_ndarray(planes.reshape(SIZE * 3 // 2, SIZE), format="yuv420p")
            frame.color_range = 2 if full else 1
            if number is not None:
                frame.colorspace = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("standard", [*STANDARDS, "none"])
def test_colours_are_those_of_the_standard_that_a_file_names(tmp_path, standard, full):
    """Without a name it is BT.601, as FFmpeg and every player built on it take it."""
    kr, kb, number = STANDARDS.get(standard, (*STANDARDS["601"][:2], None))
    write(tmp_path / "v.mp4", number, full)
    frames, _ = read_all(tmp_path / "v.mp4")
    expected = np.array([rgb(colour, kr, kb, full) for colour in YCBCR])
    for corner in (frames[:, 0, 0], frames[:, 16, 16], frames[:, -1, -1]):
        assert np.abs(corner - expected).max() < 3.5  # the converter works with few bits
