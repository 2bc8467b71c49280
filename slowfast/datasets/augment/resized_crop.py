"""Random crops of a clip and the resize of videos, as PySlowFast's (slowfast/datasets/transform.py).

A crop is the same for all frames of a clip. What is drawn is apart from what follows from it: functions that end in
`_from` take any Draws, the others a torch.Generator.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image

from slowfast.datasets.augment.draws import Draws, GeneratorDraws
from slowfast.video.decoding.open_video import shrink

Range = tuple[float, float]
TRIES = 10


class CropBox(NamedTuple):
    """Whole pixels of a frame."""

    top: int
    left: int
    height: int
    width: int


def random_resized_box(height: int, width: int, *, area: Range, aspect: Range, generator: torch.Generator) -> CropBox:
    """A random part of a height x width frame, to be resized to the input.

    area:   of the part as a fraction of the frame's, uniform
    aspect: its width / height, log-uniform
    """
    return resized_box_from(GeneratorDraws(generator), height, width, area=area, aspect=aspect)


def resized_box_from(draws: Draws, height: int, width: int, *, area: Range, aspect: Range) -> CropBox:
    """As `random_resized_box`: ten tries, then the centre at the nearest aspect that is allowed."""
    low, high = math.log(aspect[0]), math.log(aspect[1])
    for _ in range(TRIES):
        pixels = draws.uniform(*area) * height * width
        ratio = math.exp(draws.uniform(low, high))
        w, h = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if 0 < w <= width and 0 < h <= height:
            return CropBox(draws.randint(0, height - h), draws.randint(0, width - w), h, w)
    return centre_box(height, width, aspect=aspect)


def centre_box(height: int, width: int, *, aspect: Range) -> CropBox:
    """The largest centred part whose width / height is allowed."""
    h, w = height, width
    if width / height < aspect[0]:
        h = round(width / aspect[0])
    elif width / height > aspect[1]:
        w = round(height * aspect[1])
    return CropBox((height - h) // 2, (width - w) // 2, h, w)


def random_short_side(scales: tuple[int, int], *, inverse: bool, generator: torch.Generator) -> int:
    """A length of the short side from scales[0] to scales[1]: uniform, or (`inverse`) its inverse is uniform."""
    return short_side_from(GeneratorDraws(generator), scales, inverse=inverse)


def short_side_from(draws: Draws, scales: tuple[int, int], *, inverse: bool) -> int:
    """As `random_short_side`."""
    low, high = scales
    return round(1 / draws.uniform(1 / high, 1 / low)) if inverse else round(draws.uniform(low, high))


def size_at_short_side(height: int, width: int, short_side: int) -> tuple[int, int]:
    """(height, width) with the short side given and the aspect kept, the long side rounded down."""
    if min(height, width) == short_side:
        return height, width
    if width < height:
        return math.floor(height / width * short_side), short_side
    return short_side, math.floor(width / height * short_side)


def jitter_scale(
    height: int, width: int, *, scales: tuple[int, int], inverse: bool = False, generator: torch.Generator
) -> tuple[int, int]:
    """A random (height, width) for a frame of this height and width: a random short side, and the aspect kept."""
    return size_at_short_side(height, width, random_short_side(scales, inverse=inverse, generator=generator))


def random_square_box(height: int, width: int, *, size: int, generator: torch.Generator) -> CropBox:
    """A square of `size` pixels anywhere in the frame."""
    return square_box_from(GeneratorDraws(generator), height, width, size=size)


def square_box_from(draws: Draws, height: int, width: int, *, size: int) -> CropBox:
    """As `random_square_box`. Its last row and column are as likely as any; PySlowFast never draws them
    (its upper end is excluded, slowfast/datasets/transform.py:141)."""
    _check_fits(height, width, size)
    return CropBox(draws.randint(0, height - size), draws.randint(0, width - size), size, size)


def uniform_crop_offsets(height: int, width: int, *, size: int, num_crops: int) -> list[tuple[int, int]]:
    """(top, left) of the square crops that a clip is tested on: the centre, or start, centre and end of the long side.

    Where the middle is between two pixels it is the later one.
    """
    _check_fits(height, width, size)
    top, left = math.ceil((height - size) / 2), math.ceil((width - size) / 2)
    if num_crops == 1:
        return [(top, left)]
    if num_crops != 3:
        raise ValueError(f"a clip has 1 or 3 crops, got {num_crops} (TEST.NUM_SPATIAL_CROPS)")
    if height > width:
        return [(0, left), (top, left), (height - size, left)]
    return [(top, 0), (top, left), (top, width - size)]


def _check_fits(height: int, width: int, size: int) -> None:
    if min(height, width) < size:
        raise ValueError(
            f"a crop of {size} pixels does not fit in a frame of {height} x {width}: "
            "DATA.TRAIN_JITTER_SCALES must not be below DATA.TRAIN_CROP_SIZE, nor the test's short side below "
            "DATA.TEST_CROP_SIZE"
        )


def crop_and_resize_plain(frames: np.ndarray, box: CropBox, size: tuple[int, int]) -> np.ndarray:
    """The part `box` of frames (T, H, W, 3), uint8 or float32, at `size` (height, width).

    Bilinear without antialiasing, between the pixels of the part only (align_corners False), as the reference resizes
    videos. uint8 is computed in whole numbers, the same on every machine. The reference resizes floats; measured, that is
    0.25 levels of 255 away on average on pictures (the rounding alone) and at most 0.65; on white noise 0.27 and 1.1.
    """
    part = frames[:, box.top : box.top + box.height, box.left : box.left + box.width]
    if part.shape[1:3] == size:
        return part
    method = cv2.INTER_LINEAR_EXACT if part.dtype == np.uint8 else cv2.INTER_LINEAR
    resized = np.empty((len(part), *size, 3), dtype=part.dtype)
    for index, frame in enumerate(part):
        resized[index] = cv2.resize(frame, size[::-1], interpolation=method)
    return resized


def shrink_all(frames: np.ndarray, short_side: int) -> np.ndarray:
    """Frames (T, H, W, 3) uint8, scaled by area where their short side is longer, as PySlowFast's decoder does."""
    if min(frames.shape[1:3]) <= short_side:
        return frames
    return np.stack([shrink(frame, short_side) for frame in frames])


def resize_bicubic(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(T, H, W, 3) uint8 -> (T, *size, 3), antialiased, by Pillow as the reference resizes images."""
    pictures = (Image.fromarray(frame).resize(size[::-1], Image.Resampling.BICUBIC) for frame in frames)
    return np.stack([np.asarray(picture) for picture in pictures])


def cut_square(frames: np.ndarray, top: int, left: int, size: int) -> np.ndarray:
    """(T, H, W, 3) -> (T, size, size, 3), a view."""
    return frames[:, top : top + size, left : left + size]
