"""Pixel and box transforms of a clip; the only place where pixels are counted.

frames: (T, 3, H, W) uint8 RGB. boxes: (n, 4) xyxy in [0, 1] of the original frame. region: xyxy in [0, 1] of that frame,
the part that the input shows; a mirrored region has x1 > x2. Randomness comes from the generator that is passed in.
"""

import numpy as np
import torch
from torch import Tensor

Region = tuple[float, float, float, float]
WHOLE_FRAME: Region = (0.0, 0.0, 1.0, 1.0)


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * torch.rand((), generator=generator).item()


def crop_and_resize(frames: Tensor, region: Region, size: tuple[int, int]) -> tuple[Tensor, Region]:
    """Cut `region` out and scale it to `size` (height, width), bilinear with antialiasing.

    Returns the frames and the region that was really cut: edges lie on whole pixels, at least one pixel wide.
    """
    from torchvision.transforms.v2 import functional as F  # two seconds, and who reads annotations resizes nothing

    height, width = frames.shape[-2:]
    left, right = _whole_pixels(region[0], region[2], width)
    top, bottom = _whole_pixels(region[1], region[3], height)
    frames = F.resize(frames[..., top:bottom, left:right], list(size), antialias=True)
    return frames, (left / width, top / height, right / width, bottom / height)


def _whole_pixels(low: float, high: float, length: int) -> tuple[int, int]:
    start = min(max(int(low * length + 1e-6), 0), length - 1)
    end = -int(-(high * length - 1e-6) // 1)
    return start, max(start + 1, min(end, length))


def aspect_size(frame_size: tuple[float, float], short_side: int, *, multiple: int = 32) -> tuple[int, int]:
    """(height, width) that keeps the aspect of `frame_size`: the short side fixed, the long one a multiple of `multiple`."""
    height, width = frame_size
    long_side = max(round(short_side * max(height, width) / min(height, width) / multiple), 1) * multiple
    return (short_side, long_side) if width >= height else (long_side, short_side)


def box_safe_region(boxes: Tensor, scale: tuple[float, float], generator: torch.Generator) -> Region:
    """A random region with sides of scale[0]..scale[1] of the frame, grown where needed to hold every box whole."""
    side = _uniform(*scale, generator)
    region = [0.0, 0.0, 1.0, 1.0]
    rows = boxes.tolist()
    for axis in (0, 1):
        low = min((row[axis] for row in rows), default=1.0)
        high = max((row[axis + 2] for row in rows), default=0.0)
        length = min(max(side, high - low), 1.0)
        first, last = max(0.0, high - length), min(1.0 - length, low)
        if not len(boxes):
            first, last = 0.0, 1.0 - length
        start = _uniform(first, max(first, last), generator)
        region[axis], region[axis + 2] = start, start + length
    left, top, right, bottom = region
    return (left, top, right, bottom)


def random_region(scale: tuple[float, float], generator: torch.Generator) -> Region:
    """A random region with both sides drawn from scale[0]..scale[1] of the frame; it may cut through people (DETR's crop)."""
    width, height = _uniform(*scale, generator), _uniform(*scale, generator)
    left, top = _uniform(0, 1 - width, generator), _uniform(0, 1 - height, generator)
    return (left, top, left + width, top + height)


def boxes_in_region(boxes: Tensor, region: Region, *, min_visible: float) -> tuple[Tensor, Tensor]:
    """Boxes of the frame -> boxes xyxy in [0, 1] of the region, and which of them stay.

    A box stays when more than nothing, and at least the fraction `min_visible` of its area, lies inside the region.
    """
    left, top, right, bottom = region
    rows = boxes.numpy()  # a handful of boxes: numpy is at the answer before torch has begun
    size, origin = (np.array(pair * 2, dtype=rows.dtype) for pair in ([right - left, bottom - top], [left, top]))
    moved = (rows - origin) / size
    clipped = moved.clip(0, 1)
    area = (moved[:, 2] - moved[:, 0]) * (moved[:, 3] - moved[:, 1])
    visible = (clipped[:, 2] - clipped[:, 0]) * (clipped[:, 3] - clipped[:, 1])
    keep = (visible > 0) & (visible >= rows.dtype.type(min_visible) * area)
    return torch.from_numpy(clipped[keep]), torch.from_numpy(keep)


def mirror(boxes: Tensor, region: Region) -> tuple[Tensor, Region]:
    """Boxes xyxy in [0, 1] of the input, and the region it shows, after a flip left to right of its pixels.

    The pixels themselves are mirrored on the device, the whole batch at once (structures/clip.py).
    """
    rows = boxes.numpy()
    flipped = rows.copy()
    flipped[:, 0], flipped[:, 2] = 1 - rows[:, 2], 1 - rows[:, 0]
    return torch.from_numpy(flipped), (region[2], region[1], region[0], region[3])
