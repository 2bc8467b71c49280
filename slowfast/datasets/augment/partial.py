"""RandAugment of the part of a frame that is kept: the pixels of the whole frame, without computing those a crop discards.

The crop that follows RandAugment keeps half of a frame on average. Going backwards from it, each operation needs a part
of its own input: the same part where it looks at one pixel, a little more where it looks at neighbours, the part where
its pixels come from where it moves them, and everything where it depends on what the whole frame shows.

Where a moved pixel lies exactly between two levels, rounding may choose the other one: 1 of 255, in less than one pixel in
100,000 of what is drawn in training.
"""

import math
from collections.abc import Sequence

import numpy as np

from slowfast.datasets.augment.operations import Colour, Matrix, apply_matrix, apply_op, matrix_of
from slowfast.datasets.augment.resized_crop import CropBox

_OF_THE_WHOLE = ("AutoContrast", "Equalize", "Contrast")
_REACH = 3  # pixels on each side that bicubic sampling, and rounding, may ask for


def apply_to_part(
    frames: np.ndarray,
    draws: Sequence[tuple[str, float | None]],
    part: CropBox,
    *,
    fill: Colour,
    interpolation: str,
) -> np.ndarray:
    """What `apply_op` one after another makes of whole frames, of which `part` is cut out in the end.

    frames: (T, H, W, 3) uint8; draws: as `RandAugment.draw` gives. Returns (T, part.height, part.width, 3).
    """
    height, width = frames.shape[1:3]
    whole = CropBox(0, 0, height, width)
    needed = [part]
    for name, argument in reversed(draws):
        needed.append(_input_of(name, argument, needed[-1], whole))
    needed.reverse()
    have, frames = whole, frames
    for (name, argument), wanted_in, wanted_out in zip(draws, needed, needed[1:], strict=False):
        frames, have = _cut(frames, have, wanted_in), wanted_in
        matrix = matrix_of(name, argument, height, width)
        if matrix is None:
            frames = apply_op(frames, name, argument)
        else:
            local = _between(matrix, have, wanted_out)
            size = (wanted_out.height, wanted_out.width)
            frames, have = apply_matrix(frames, local, size, fill=fill, interpolation=interpolation), wanted_out
    return _cut(frames, have, part)


def _input_of(name: str, argument: float | None, part: CropBox, whole: CropBox) -> CropBox:
    """The part of its input that an operation needs to give `part` of its output."""
    family = name.removesuffix("Increasing")
    if family in _OF_THE_WHOLE:
        return whole
    matrix = matrix_of(name, argument, whole.height, whole.width)
    if matrix is not None:
        return _source_of(matrix, part, whole)
    return _within(part.top - 1, part.left - 1, part.top + part.height + 1, part.left + part.width + 1, whole)


def _source_of(matrix: Matrix, part: CropBox, whole: CropBox) -> CropBox:
    """The box around where the pixels of `part` come from."""
    a, b, c, d, e, f = matrix
    corners = [
        (a * x + b * y + c, d * x + e * y + f)
        for x in (part.left, part.left + part.width)
        for y in (part.top, part.top + part.height)
    ]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return _within(
        math.floor(min(ys)) - _REACH,
        math.floor(min(xs)) - _REACH,
        math.ceil(max(ys)) + _REACH,
        math.ceil(max(xs)) + _REACH,
        whole,
    )


def _within(top: int, left: int, bottom: int, right: int, whole: CropBox) -> CropBox:
    """The box clipped to the frame; one pixel of it where the box lies outside."""
    top, left = (min(max(low, 0), side - 1) for low, side in ((top, whole.height), (left, whole.width)))
    bottom, right = min(max(bottom, top + 1), whole.height), min(max(right, left + 1), whole.width)
    return CropBox(top, left, bottom - top, right - left)


def _between(matrix: Matrix, source: CropBox, target: CropBox) -> Matrix:
    """The matrix from pixels of `target` to those of `source`, both counted from their own corners."""
    a, b, c, d, e, f = matrix
    x, y = target.left, target.top
    return (a, b, c + a * x + b * y - source.left, d, e, f + d * x + e * y - source.top)


def _cut(frames: np.ndarray, have: CropBox, part: CropBox) -> np.ndarray:
    """`part` of frames that show `have`."""
    top, left = part.top - have.top, part.left - have.left
    return frames[:, top : top + part.height, left : left + part.width]
