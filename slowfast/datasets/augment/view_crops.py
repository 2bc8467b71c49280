"""The square crops of frames that a classifier is tested on, as PySlowFast's, mmaction2's and torchvision's (ImageNet)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from slowfast.datasets.augment.resized_crop import (
    CropBox,
    crop_and_resize_plain,
    cut_square,
    resize_bicubic,
    shrink_all,
    size_at_short_side,
    uniform_crop_offsets,
)

Resize = Literal["area", "bilinear", "bicubic"]
Size = tuple[int, int]


@dataclass(frozen=True)
class ViewCrops:
    """Frames (K, H, W, 3) uint8 -> (crops, K, size, size, 3): scaled to a short side, and cut at fixed places.

    num_crops:  1, the centre; 3, both ends and the middle of the long side
    short_side: in pixels; 0 with "bicubic": the whole image is squashed to the crop
    resize:     "area": as PySlowFast's decoder (smaller videos are enlarged bilinearly), the long side to the nearest
                pixel. "bilinear" without antialiasing, as it resizes frames that are files; the long side rounded down.
                "bicubic" with antialiasing, as torchvision and Pillow resize images; the long side rounded down
    mmaction2:  its rounding of the long side and of places, and its order: start, end, middle; "bilinear" only
    """

    size: int
    num_crops: int
    short_side: int
    resize: Resize = "area"
    mmaction2: bool = False

    def __post_init__(self) -> None:
        if self.num_crops not in (1, 3):
            raise ValueError(f"a clip has 1 or 3 crops, got {self.num_crops} (TEST.NUM_SPATIAL_CROPS)")
        if self.resize == "bicubic" and self.num_crops != 1:
            raise ValueError(
                f"an image is tested on its centre, got {self.num_crops} crops: set TEST.NUM_SPATIAL_CROPS 1"
            )
        if self.short_side < self.size and not self.squash:
            key = "lower DATA.IN_VAL_CROP_RATIO" if self.resize == "bicubic" else "raise DATA.TRAIN_JITTER_SCALES"
            raise ValueError(
                f"a crop of {self.size} pixels (DATA.TEST_CROP_SIZE) does not fit in a short side of "
                f"{self.short_side}: {key}"
            )

    @property
    def squash(self) -> bool:
        return self.resize == "bicubic" and self.short_side == 0

    @property
    def read_short_side(self) -> int | None:
        """What frames may be shrunk to while they are read, with the same result."""
        return self.short_side if self.resize == "area" else None

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        if self.squash:
            return resize_bicubic(frames, (self.size, self.size))[None]
        scaled = self._scaled(frames)
        return np.stack([cut_square(scaled, top, left, self.size) for top, left in self.offsets(*scaled.shape[1:3])])

    def offsets(self, height: int, width: int) -> list[tuple[int, int]]:
        """(top, left) of each crop of a scaled frame."""
        free = height - self.size, width - self.size
        if self.resize == "bicubic":  # torchvision's CenterCrop: to the nearest, even pixel
            return [(round(free[0] / 2), round(free[1] / 2))]
        if not self.mmaction2:
            return uniform_crop_offsets(height, width, size=self.size, num_crops=self.num_crops)
        middle = free[0] // 2, free[1] // 2
        if self.num_crops == 1:
            return [middle]
        if free[0] > free[1]:
            return [(0, middle[1]), (2 * middle[0], middle[1]), middle]
        return [(middle[0], 0), (middle[0], 2 * middle[1]), middle]

    def scaled_size(self, height: int, width: int) -> Size:
        """(height, width) of a frame before it is cut."""
        if self.resize == "bicubic":
            short = min(height, width)
            return height * self.short_side // short, width * self.short_side // short
        if self.resize == "bilinear" and not self.mmaction2:
            return size_at_short_side(height, width, self.short_side)
        scale = self.short_side / min(height, width)
        if self.mmaction2:
            return int(height * scale + 0.5), int(width * scale + 0.5)
        return round(height * scale), round(width * scale)

    def _scaled(self, frames: np.ndarray) -> np.ndarray:
        height, width = frames.shape[1:3]
        if self.resize == "area" and min(height, width) > self.short_side:
            return shrink_all(frames, self.short_side)
        size = self.scaled_size(height, width)
        if self.resize == "bicubic":
            return resize_bicubic(frames, size)
        return crop_and_resize_plain(frames, CropBox(0, 0, height, width), size)
