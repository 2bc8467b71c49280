"""Pixels from image files: each is a video of one frame (Pillow, as PySlowFast reads ImageNet)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from slowfast.utils.reading import reason_of
from slowfast.video.decoding.open_video import shrink
from slowfast.video.source import ClipReadError, VideoLength

IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".gif")


class ImageFiles:
    """Images under `root`, named with their extension. A VideoSource: the length of each is one frame.

    Pixels are those of Pillow's `convert("RGB")`, so grey, palette and CMYK images become RGB as they do in the
    reference; 16-bit grey is clipped at 255 there, not scaled. They are as stored: an EXIF orientation is not applied
    (neither does PySlowFast, and published ImageNet numbers are measured so). Of a file of several pictures the first
    counts.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def path(self, image: str) -> Path:
        """The file of an image. Raises ClipReadError where there is none."""
        path = self.root / image
        if not path.is_file():
            raise ClipReadError(str(path), None, f"no such file; is {self.root} the folder of the images?")
        return path

    def length(self, video: str) -> VideoLength:
        """One frame, one second. Reads the header only. Raises ClipReadError: no such file, or no image."""
        path = self.path(video)
        with _named(path), Image.open(path):
            return VideoLength(np.zeros(1), 1.0)

    def read_positions(self, video: str, positions: np.ndarray, *, short_side: int | None = None) -> np.ndarray:
        """(1, H, W, 3) uint8 RGB; `positions` can only be [0].

        short_side: a larger image is shrunk by area so that its short side is this
        Raises ClipReadError: no such file, no image, or one that is cut off.
        """
        if np.asarray(positions).tolist() != [0]:
            raise ValueError(f"an image has one frame, at position 0; asked for {np.asarray(positions).tolist()}")
        path = self.path(video)
        with _named(path), Image.open(path) as image:
            picture = np.array(image.convert("RGB"))
        return (picture if short_side is None else shrink(picture, short_side))[None]


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """What goes wrong in reading an image, as a ClipReadError with the path and the reason."""
    try:
        yield
    except Image.UnidentifiedImageError as error:
        raise ClipReadError(str(path), None, "not an image that Pillow can read") from error
    except ClipReadError:
        raise
    except Exception as error:  # Pillow's readers throw struct.error, SyntaxError, zlib.error, ... for broken files
        raise ClipReadError(str(path), None, reason_of(error)) from error
