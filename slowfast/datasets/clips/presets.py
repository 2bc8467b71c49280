"""From frames and boxes of the original frame to the input of the network: one preset for training, one for testing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from slowfast.datasets.augment.colours import ColourFactors, draw_colours
from slowfast.datasets.clips import transforms as T
from slowfast.datasets.clips.planes import to_planes
from slowfast.structures.boxes import xyxy_to_cxcywh

InputSize = tuple[int, int]
CROPS = ("none", "box_safe", "detr")


@dataclass(frozen=True)
class Augmentation:
    """What training adds to the geometry of the test.

    crop:         "none", "box_safe" (never cuts a person) or "detr" (people that a crop empties are dropped with their labels)
    crop_scale:   sides of the crop as fractions of the frame's
    min_visible:  fraction of a box that must stay after a crop
    flip:         mirror half of the clips
    swap_actions: pairs of class indices that a mirrored clip exchanges (walk left, walk right)
    colour:       strength of brightness, contrast and saturation jitter, 0 for none
    sizes:        input sizes to choose from for each clip; empty for the one size of the preset
    """

    crop: str = "box_safe"
    crop_scale: tuple[float, float] = (0.6, 1.0)
    min_visible: float = 0.25
    flip: bool = True
    swap_actions: tuple[tuple[int, int], ...] = ()
    colour: float = 0.4
    sizes: tuple[InputSize, ...] = ()

    def __post_init__(self) -> None:
        if self.crop not in CROPS:
            raise ValueError(f"crop must be one of {', '.join(CROPS)}, got {self.crop!r} (DATA.CROP)")


@dataclass(frozen=True)
class Input:
    """clip (3, T, h, w) uint8 RGB; boxes (n, 4) cxcywh in [0, 1] of it; actions (n, C); region as in ClipMeta.

    flipped: all but the pixels is mirrored, as in ClipSample
    colours: still to be changed, as in ClipSample
    """

    clip: Tensor
    boxes: Tensor
    actions: Tensor
    region: T.Region
    flipped: bool
    colours: ColourFactors | None = None


class DetectionPreset:
    """frames (T, H, W, 3) uint8 RGB and people of the key frame -> Input.

    size:          (height, width) of the input
    keep_aspect:   scale the short side to min(size) and keep the aspect that a player shows, both sides multiples of 32;
                   else stretch to `size`
    augmentation:  None for testing
    """

    def __init__(self, *, size: InputSize, keep_aspect: bool = False, augmentation: Augmentation | None = None) -> None:
        self.size, self.keep_aspect, self.augmentation = size, keep_aspect, augmentation

    def __call__(
        self,
        frames: np.ndarray,
        boxes: np.ndarray,
        actions: np.ndarray,
        generator: torch.Generator,
        *,
        pixel_aspect: float = 1.0,
    ) -> Input:
        """boxes (n, 4) xyxy in [0, 1] of the frame, actions (n, C) 0/1. The generator decides everything random.

        pixel_aspect: width of a pixel by its height, see ClipPixels
        """
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
        people = torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4)
        aug = self.augmentation
        region = T.WHOLE_FRAME if aug is None else _choose_region(aug, people, generator)
        size = self._input_size(pixels, region, generator, pixel_aspect)
        pixels, region = T.crop_and_resize(pixels, region, size)
        people, keep = T.boxes_in_region(people, region, min_visible=0.0 if aug is None else aug.min_visible)
        does = torch.as_tensor(actions, dtype=torch.float32)[keep]
        flipped, colours = False, None
        if aug is not None:
            flipped = aug.flip and torch.rand((), generator=generator).item() < 0.5
            if flipped:
                people, region = T.mirror(people, region)
                does = _swap(does, aug.swap_actions)
            if aug.colour:
                colours = draw_colours(aug.colour, generator)
        return Input(_clip_of(pixels), xyxy_to_cxcywh(people), does, region, flipped, colours)

    def show(self, frames: np.ndarray, *, pixel_aspect: float = 1.0) -> tuple[Tensor, T.Region]:
        """The pixels alone, as a test shows them: (T, H, W, 3) uint8 RGB -> (3, T, h, w) uint8, and the region as in ClipMeta."""
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
        pixels, region = T.crop_and_resize(
            pixels, T.WHOLE_FRAME, self._input_size(pixels, T.WHOLE_FRAME, None, pixel_aspect)
        )
        return _clip_of(pixels), region

    def _input_size(
        self, pixels: Tensor, region: T.Region, generator: torch.Generator | None, pixel_aspect: float
    ) -> InputSize:
        """generator: None for the one size of the preset."""
        size = self.size
        if generator is not None and self.augmentation is not None and self.augmentation.sizes:
            choice = int(torch.randint(len(self.augmentation.sizes), (), generator=generator))
            size = self.augmentation.sizes[choice]
        if not self.keep_aspect:
            return size
        height, width = pixels.shape[-2:]
        shown = ((region[3] - region[1]) * height, (region[2] - region[0]) * width * pixel_aspect)
        return T.aspect_size(shown, min(size))


def _choose_region(aug: Augmentation, boxes: Tensor, generator: torch.Generator) -> T.Region:
    if aug.crop == "box_safe":
        return T.box_safe_region(boxes, aug.crop_scale, generator)
    if aug.crop == "detr":
        return T.random_region(aug.crop_scale, generator)
    return T.WHOLE_FRAME


def _clip_of(pixels: Tensor) -> Tensor:
    """(T, 3, h, w) -> (3, T, h, w). The colours of a pixel lie side by side in memory, as they came."""
    return to_planes(pixels.permute(0, 2, 3, 1).numpy())


def _swap(actions: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    if not pairs:
        return actions
    order = list(range(actions.shape[1]))
    for a, b in pairs:
        order[a], order[b] = order[b], order[a]
    return actions[:, order]
