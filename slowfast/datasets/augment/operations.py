"""The operations of RandAugment on a whole clip, with the numbers Pillow gives for each of its frames.

frames: (T, H, W, 3) uint8 RGB, contiguous; what is returned is new, the frames given are never changed. Every frame gets
the same operation with the same argument. Names are those of PySlowFast (slowfast/datasets/rand_augment.py), whose names
with "Increasing" differ in how the argument follows from the magnitude, not in what is done with it.

Operations that look at one pixel at a time are one table for the clip, or one for each frame and channel where the table
depends on what the frame shows. Those that move pixels go through Pillow, whose bicubic sampling is the reference.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

Colour = tuple[int, int, int]
Matrix = tuple[float, float, float, float, float, float]

VIDEO_FILL: Colour = (128, 128, 128)  # PySlowFast's for videos
IMAGE_FILL: Colour = (124, 116, 104)  # and for images: the mean of ImageNet
INTERPOLATIONS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}

_LEVELS = np.arange(256, dtype=np.float32)
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], dtype=np.float32) / 13  # ImageFilter.SMOOTH
# ITU-R 601 luma in 16 bits, rounded. All sums are integers below 2**24, so float32 holds them exactly.
_LUMA = np.array([[19595, 38470, 7471, 32768]], dtype=np.float32)


def check_interpolation(name: str) -> None:
    if name not in INTERPOLATIONS:
        known = ", ".join(INTERPOLATIONS)
        raise ValueError(f"the interpolation of RandAugment must be one of {known}, got {name!r} (AUG.INTERPOLATION)")


def apply_op(
    frames: np.ndarray,
    name: str,
    argument: float | None,
    *,
    fill: Colour = VIDEO_FILL,
    interpolation: str = "bicubic",
) -> np.ndarray:
    """One operation on all frames: (T, H, W, 3) uint8 -> the same.

    argument:      what `RandAugment.draw` gives: degrees, bits, a threshold, an addition, a factor, a shear or a fraction of
                   the side; None for AutoContrast, Equalize and Invert
    fill:          RGB of what geometric operations uncover
    interpolation: of geometric operations, "bicubic" or "bilinear"
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise ValueError(f"frames must be (T, H, W, 3) uint8, got {frames.shape} {frames.dtype}")
    check_interpolation(interpolation)
    family = name.removesuffix("Increasing")
    if family in _PLAIN:
        return _PLAIN[family](frames)
    if family not in _WITH_ARGUMENT and family not in _GEOMETRIC:
        raise ValueError(f"RandAugment has no operation {name!r}")
    if argument is None:
        raise ValueError(f"{name} needs an argument")
    if family in _WITH_ARGUMENT:
        return _WITH_ARGUMENT[family](frames, argument)
    height, width = frames.shape[1:3]
    matrix = _GEOMETRIC[family](argument, height, width)
    return apply_matrix(frames, matrix, (height, width), fill=fill, interpolation=interpolation)


def matrix_of(name: str, argument: float | None, height: int, width: int) -> Matrix | None:
    """Where a geometric operation takes the pixels of a height x width frame from, None for one that moves none.

    (a, b, c, d, e, f): output (x, y) comes from (a x + b y + c, d x + e y + f), in pixels, whose centres are at halves.
    """
    if name not in _GEOMETRIC:
        return None
    if argument is None:
        raise ValueError(f"{name} needs an argument")
    return _GEOMETRIC[name](argument, height, width)


# Point operations: the same table for the whole clip.


def _invert(frames: np.ndarray) -> np.ndarray:
    return ~frames


def _posterize(frames: np.ndarray, bits: float) -> np.ndarray:
    """Keep the `bits` highest bits. With none, at magnitude 10, the clip is black, as with Pillow before it refused that."""
    return frames & np.uint8(256 - 2 ** (8 - int(bits)) if bits else 0)


def _solarize(frames: np.ndarray, threshold: float) -> np.ndarray:
    """Invert what is not below the threshold."""
    return _look_up(frames, np.where(threshold <= _LEVELS, 255 - _LEVELS, _LEVELS))


def _solarize_add(frames: np.ndarray, addition: float) -> np.ndarray:
    """Add to what is below 128."""
    return _look_up(frames, np.where(_LEVELS >= 128, _LEVELS, np.minimum(_LEVELS + addition, 255)))


def _brightness(frames: np.ndarray, factor: float) -> np.ndarray:
    """Blend with black."""
    return _look_up(frames, _blend(np.zeros_like(_LEVELS), _LEVELS, factor))


def _look_up(frames: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Replace each level by its entry in `table`, (256,), or (256, 3) with one column a channel."""
    rows = frames.reshape(-1, frames.shape[-2] * 3) if table.ndim == 1 else frames.reshape(-1, *frames.shape[-2:])
    found: np.ndarray = cv2.LUT(rows, table.astype(np.uint8).reshape(1, 256, *table.shape[1:]))
    return found.reshape(frames.shape)


# Operations that look at the frame: a table for each frame and channel.


def _auto_contrast(frames: np.ndarray) -> np.ndarray:
    """Stretch each channel of each frame from its darkest and brightest pixel to 0 and 255."""
    lines = frames.reshape(len(frames), frames.shape[1], -1)  # whole lines are compared at once, which is faster
    low = lines.min(axis=1).reshape(len(frames), -1, 3).min(axis=1).astype(np.float64)  # (T, 3)
    high = lines.max(axis=1).reshape(len(frames), -1, 3).max(axis=1).astype(np.float64)
    flat = high <= low
    scale = 255.0 / np.where(flat, 1, high - low)
    tables = np.arange(256)[None, :, None] * scale[:, None] + (-low * scale)[:, None]  # (T, 256, 3)
    tables = np.where(flat[:, None], np.arange(256)[None, :, None], np.clip(np.trunc(tables), 0, 255))
    return np.stack([_look_up(frame, table) for frame, table in zip(frames, tables, strict=True)])


def _equalize(frames: np.ndarray) -> np.ndarray:
    """Make the histogram of each channel of each frame flat."""
    found = np.empty_like(frames)
    for index, frame in enumerate(frames):
        counts = [cv2.calcHist([frame], [channel], None, [256], [0, 256]).ravel() for channel in range(3)]
        found[index] = _look_up(frame, np.stack([_equalizing_table(c.astype(np.int64)) for c in counts], axis=-1))
    return found


def _equalizing_table(counts: np.ndarray) -> np.ndarray:
    """(256,) number of pixels at each level -> (256,) new levels."""
    step = int(counts.sum() - counts[np.nonzero(counts)[0][-1]]) // 255
    if not step:
        return np.arange(256)
    below = np.concatenate([[0], np.cumsum(counts[:-1])])
    return np.minimum((step // 2 + below) // step, 255)


def _contrast(frames: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the mean luma of the frame."""
    found = np.empty_like(frames)
    for index, frame in enumerate(frames):
        mean = np.float32(int(_luma(frame).mean(dtype=np.float64) + 0.5))
        found[index] = _look_up(frame, _blend(np.full_like(_LEVELS, mean), _LEVELS, factor))
    return found


# Operations that mix each pixel with a picture made of the frame.


def _colour(frames: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the frame in grey."""
    return _blend_each(frames, lambda frame: cv2.cvtColor(_luma(frame), cv2.COLOR_GRAY2RGB), factor)


def _sharpness(frames: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the frame smoothed, of which Pillow leaves the outermost pixels as they are."""
    return _blend_each(frames, _smooth, factor)


def _smooth(frame: np.ndarray) -> np.ndarray:
    found = frame.copy()
    found[1:-1, 1:-1] = cv2.filter2D(frame, -1, _SMOOTH)[1:-1, 1:-1]
    return found


def _blend_each(frames: np.ndarray, other: Callable[[np.ndarray], np.ndarray], factor: float) -> np.ndarray:
    found = np.empty_like(frames)
    for index, frame in enumerate(frames):
        found[index] = _blend(other(frame).astype(np.float32), frame.astype(np.float32), factor)
    return found


def _blend(first: np.ndarray, second: np.ndarray, factor: float) -> np.ndarray:
    """first + factor * (second - first) in float32, clipped and cut off as Image.blend does; overwrites neither."""
    mixed = second - first
    mixed *= np.float32(factor)
    mixed += first
    return np.clip(mixed, 0, 255, out=mixed).astype(np.uint8)


def _luma(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (H, W) uint8, as Image.convert("L")."""
    luma: np.ndarray = cv2.transform(frame.astype(np.float32), _LUMA)
    luma *= np.float32(2**-16)
    return luma.astype(np.uint8)


# Geometric operations: where output pixel (x, y) comes from, (a x + b y + c, d x + e y + f).


def _rotation(degrees: float, height: int, width: int) -> Matrix:
    """Counter-clockwise about the centre, rounded as Image.rotate rounds it."""
    angle = -math.radians(degrees % 360)
    cos, sin, minus_sin = round(math.cos(angle), 15), round(math.sin(angle), 15), round(-math.sin(angle), 15)
    x, y = width / 2, height / 2
    return (cos, sin, cos * -x + sin * -y + x, minus_sin, cos, minus_sin * -x + cos * -y + y)


def _shear_x(shear: float, height: int, width: int) -> Matrix:
    """About the top edge, not the centre."""
    return (1, shear, 0, 0, 1, 0)


def _shear_y(shear: float, height: int, width: int) -> Matrix:
    """About the left edge."""
    return (1, 0, 0, shear, 1, 0)


def _translate_x(fraction: float, height: int, width: int) -> Matrix:
    return (1, 0, fraction * width, 0, 1, 0)


def _translate_y(fraction: float, height: int, width: int) -> Matrix:
    return (1, 0, 0, 0, 1, fraction * height)


def apply_matrix(
    frames: np.ndarray, matrix: Matrix, size: tuple[int, int], *, fill: Colour, interpolation: str
) -> np.ndarray:
    """(T, H, W, 3) uint8 -> (T, *size, 3): each pixel from where `matrix` says, as in `matrix_of`; outside it is `fill`."""
    found = np.empty((len(frames), *size, 3), dtype=np.uint8)
    method = INTERPOLATIONS[interpolation]
    for index, frame in enumerate(frames):
        picture = Image.fromarray(frame)
        moved = picture.transform((size[1], size[0]), Image.Transform.AFFINE, matrix, method, fillcolor=fill)
        found[index] = np.asarray(moved)
    return found


_PLAIN: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "AutoContrast": _auto_contrast,
    "Equalize": _equalize,
    "Invert": _invert,
}
_WITH_ARGUMENT: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "Posterize": _posterize,
    "Solarize": _solarize,
    "SolarizeAdd": _solarize_add,
    "Color": _colour,
    "Contrast": _contrast,
    "Brightness": _brightness,
    "Sharpness": _sharpness,
}
_GEOMETRIC: dict[str, Callable[[float, int, int], Matrix]] = {
    "Rotate": _rotation,
    "ShearX": _shear_x,
    "ShearY": _shear_y,
    "TranslateXRel": _translate_x,
    "TranslateYRel": _translate_y,
}
