"""Random erasing (arXiv 1708.04896): a rectangle of a clip becomes noise, as PySlowFast's random_erasing.py.

The loader draws the rectangles; the pixels are erased where the clips are normalised, on the device.
A rectangle is (y0, y1, x0, x1), rows y0 to y1 - 1 and columns x0 to x1 - 1, the same in all frames; zeros are no rectangle.
"""

import math

import torch
from torch import Tensor

from slowfast.datasets.augment.draws import Draws, GeneratorDraws

Range = tuple[float, float]
Rectangle = tuple[int, int, int, int]

AREA: Range = (0.02, 1 / 3)
ASPECT: Range = (0.3, 1 / 0.3)
VIDEO_TRIES = 100
IMAGE_TRIES = 10
MODES = ("pixel",)


def check_mode(mode: str) -> None:
    """PySlowFast's other modes ("rand" and "const": one colour, or black) are not here."""
    if mode not in MODES:
        raise ValueError(f"random erasing fills with noise, mode {', '.join(MODES)}; got {mode!r} (AUG.RE_MODE)")


def draw_rectangle(
    height: int,
    width: int,
    probability: float,
    generator: torch.Generator,
    *,
    area: Range = AREA,
    aspect: Range = ASPECT,
    tries: int = VIDEO_TRIES,
) -> Rectangle | None:
    """The rectangle to erase in a height x width clip, with this probability.

    area:   of the rectangle as a fraction of the clip's, uniform
    aspect: its height / width, log-uniform
    tries:  how often to draw another if it is not smaller than the clip both ways; then nothing is erased
    """
    draws = GeneratorDraws(generator)
    if draws.uniform(0, 1) >= probability:
        return None
    return rectangle_from(draws, height, width, area=area, aspect=aspect, tries=tries)


def draw_rectangles(
    height: int, width: int, probability: float, generator: torch.Generator, *, count: int, tries: int = VIDEO_TRIES
) -> Tensor:
    """(count, 4) int64: with this probability `count` rectangles, which share the area of one and may overlap; else zeros.

    The reference has a count, too, but then also leaves the first of `count` parts of the frames clean (it confuses
    RE_COUNT with RE_SPLIT); here all frames of a clip are erased alike.
    """
    draws = GeneratorDraws(generator)
    rectangles = torch.zeros(count, 4, dtype=torch.int64)
    if draws.uniform(0, 1) < probability:
        area = (AREA[0] / count, AREA[1] / count)
        for row in rectangles:
            rectangle = rectangle_from(draws, height, width, area=area, tries=tries)
            if rectangle is not None:
                row.copy_(torch.tensor(rectangle))
    return rectangles


def rectangle_from(
    draws: Draws, height: int, width: int, *, area: Range = AREA, aspect: Range = ASPECT, tries: int = VIDEO_TRIES
) -> Rectangle | None:
    """As `draw_rectangle` once it is decided that there is one."""
    low, high = math.log(aspect[0]), math.log(aspect[1])
    for _ in range(tries):
        pixels = draws.uniform(*area) * height * width
        ratio = math.exp(draws.uniform(low, high))
        h, w = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if h < height and w < width:
            top, left = draws.randint(0, height - h), draws.randint(0, width - w)
            return top, top + h, left, left + w
    return None


def erase(clips: Tensor, rectangles: Tensor, seeds: Tensor) -> Tensor:
    """Fill rectangles with noise N(0, 1), another number for each pixel, channel and frame.

    clips:      (B, 3, T, H, W) float, normalised; changed in place and returned
    rectangles: (B, 4) or (B, R, 4) int64
    seeds:      (B,) int64, one for the noise of each clip: its noise does not depend on the rest of the batch, and is the
                same again on the same kind of device

    Leave rectangles and seeds on the host: the host then never waits for the device, while two tensors of a GPU are two
    waits. Noise is drawn in float32 whatever the type of the clips.
    """
    if not clips.is_floating_point():
        raise ValueError(f"clips must be normalised floats before they are erased, got {clips.dtype}")
    height, width = clips.shape[-2:]
    for clip, of_clip, seed in zip(clips, rectangles.reshape(len(clips), -1, 4).tolist(), seeds.tolist(), strict=True):
        if not any(map(any, of_clip)):
            continue
        generator = torch.Generator(clips.device).manual_seed(seed)
        for y0, y1, x0, x1 in of_clip:
            if not (0 <= y0 <= y1 <= height and 0 <= x0 <= x1 <= width):
                raise ValueError(f"the rectangle {(y0, y1, x0, x1)} is not inside a clip of {height} x {width}")
            part = clip[..., y0:y1, x0:x1]
            part.copy_(torch.randn(part.shape, generator=generator, device=clips.device))
    return clips
