"""From the frames of a video, or an image, to a labelled clip: what is drawn for it, and its pixels.

The order is PySlowFast's (kinetics.py and imagenet.py). It resizes normalised floats and we resize uint8: see
`crop_and_resize_plain` for how little that changes. Frames stay uint8 until they are on the device.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from slowfast.datasets.augment.colours import ColourFactors, draw_colours
from slowfast.datasets.augment.draws import draw_seed
from slowfast.datasets.augment.erasing import IMAGE_TRIES, VIDEO_TRIES, check_mode, draw_rectangles
from slowfast.datasets.augment.operations import IMAGE_FILL, VIDEO_FILL, Colour, check_interpolation
from slowfast.datasets.augment.partial import apply_to_part
from slowfast.datasets.augment.rand_augment import RandAugment, parse_rand_augment
from slowfast.datasets.augment.resized_crop import (
    CropBox,
    Range,
    crop_and_resize_plain,
    cut_square,
    jitter_scale,
    random_resized_box,
    random_square_box,
    resize_bicubic,
    shrink_all,
)
from slowfast.datasets.augment.view_crops import Resize, ViewCrops
from slowfast.datasets.clips.planes import to_planes


@dataclass(frozen=True)
class LabelAugmentation:
    """What training does to a clip. Everything is the same for all of its frames.

    area, aspect:      of the random resized crop, see `random_resized_box`
    jitter:            instead of that crop, scale the short side to a random length in this range and cut a random square
    inverse_uniform:   with `jitter`: the inverse of the length is uniform
    flip:              mirror half of the clips
    rand_augment:      as AUG.AA_TYPE, "" for none
    interpolation:     of its geometric operations, "bicubic" or "bilinear"
    fill:              RGB of what they uncover; None for PySlowFast's grey (videos) or the mean of ImageNet (images)
    erase_probability: of random erasing
    erase_count:       rectangles of a clip that is erased
    erase_mode:        "pixel", noise in every pixel
    colour:            strength of brightness, contrast and saturation jitter, which is there only without RandAugment
    """

    area: Range = (0.08, 1.0)
    aspect: Range = (3 / 4, 4 / 3)
    jitter: tuple[int, int] | None = None
    inverse_uniform: bool = False
    flip: bool = True
    rand_augment: str = ""
    interpolation: str = "bicubic"
    fill: Colour | None = None
    erase_probability: float = 0.0
    erase_count: int = 1
    erase_mode: str = "pixel"
    colour: float = 0.0

    def __post_init__(self) -> None:
        if self.rand_augment:
            parse_rand_augment(self.rand_augment)
        check_interpolation(self.interpolation)
        check_mode(self.erase_mode)
        for low, high, most, key in (
            (*self.area, 1.0, "DATA.TRAIN_JITTER_SCALES_RELATIVE"),
            (*self.aspect, math.inf, "DATA.TRAIN_JITTER_ASPECT_RELATIVE"),
            (*(self.jitter or (1, 1)), math.inf, "DATA.TRAIN_JITTER_SCALES"),
        ):
            if not 0 < low <= high <= most:
                limit = "" if most == math.inf else f", at most {most:g}"
                raise ValueError(f"a range is two numbers above 0, the lower first{limit}; got {(low, high)} ({key})")
        if not 0 <= self.erase_probability <= 1:
            raise ValueError(f"a probability must be in [0, 1], got {self.erase_probability} (AUG.RE_PROB)")
        if self.erase_count < 1:
            raise ValueError(
                f"random erasing erases 1 rectangle or more, got {self.erase_count} (AUG.RE_COUNT); "
                "AUG.RE_PROB 0 switches it off"
            )


@dataclass(frozen=True)
class LabelInput:
    """One clip, and what is still to be done to it on the device, in this order: mirror, colours, normalise, erase.

    clip:       (3, T, h, w) uint8 RGB
    flipped:    its pixels still have to be mirrored
    rectangles: (R, 4) int64, what `erase` fills in the mirrored clip; zeros for nothing
    erase_seed: of the noise
    colours:    factors of brightness, contrast and saturation; None for no change
    """

    clip: Tensor
    flipped: bool
    rectangles: Tensor
    erase_seed: int
    colours: ColourFactors | None = None


class LabelPreset:
    """frames (T, H, W, 3) uint8 RGB -> LabelInput.

    size:         side of the square input
    augmentation: None for testing, which cuts out the centre
    short_side:   of the frames of a video, which are shrunk to it by area as PySlowFast's decoder shrinks them: before the
                  crop in training, and before the centre is cut in testing. Images: in testing only
    image:        the pipeline of ImageNet, where T is 1: bicubic with antialiasing, the crop before RandAugment, and the
                  flip before it, too, which therefore is done here
    """

    def __init__(
        self, *, size: int, short_side: int, augmentation: LabelAugmentation | None = None, image: bool = False
    ) -> None:
        least = short_side if augmentation is None else min(augmentation.jitter or (size,))
        if least < size:
            key = "short_side" if augmentation is None else "DATA.TRAIN_JITTER_SCALES"
            crop = "" if augmentation is None else ", or lower DATA.TRAIN_CROP_SIZE"
            raise ValueError(f"a crop of {size} pixels does not fit in a short side of {least}: raise {key}{crop}")
        if image and augmentation is not None and augmentation.jitter is not None:
            raise ValueError("images are cropped by area, not by DATA.TRAIN_JITTER_SCALES: leave `jitter` out")
        self.size, self.short_side, self.augmentation, self.image = size, short_side, augmentation, image
        text = augmentation.rand_augment if augmentation is not None else ""
        self.rand_augment: RandAugment | None = parse_rand_augment(text) if text else None

    def __call__(self, frames: np.ndarray, generator: torch.Generator) -> LabelInput:
        """The generator decides everything random."""
        aug = self.augmentation
        if aug is None:
            resize: Resize = "bicubic" if self.image else "area"
            pixels = ViewCrops(self.size, 1, self.short_side, resize)(frames)[0]
            return LabelInput(to_planes(pixels), False, torch.zeros(1, 4, dtype=torch.int64), 0)
        if self.image:
            pixels = self._crop_image(frames, aug, generator)
            if _flips(aug, generator):
                pixels = np.ascontiguousarray(pixels[:, :, ::-1])
            colours, flipped = self._draw_colours(aug, generator), False
            pixels = self._rand_augmented(pixels, aug, generator)
        else:
            colours = self._draw_colours(aug, generator)
            pixels = self._augment_video(shrink_all(frames, self.short_side), aug, generator)
            flipped = _flips(aug, generator)
        height, width = pixels.shape[1:3]
        tries = IMAGE_TRIES if self.image else VIDEO_TRIES
        rectangles = draw_rectangles(
            height, width, aug.erase_probability, generator, count=aug.erase_count, tries=tries
        )
        return LabelInput(to_planes(pixels), flipped, rectangles, draw_seed(generator), colours)

    def _draw_colours(self, aug: LabelAugmentation, generator: torch.Generator) -> ColourFactors | None:
        """Colours are changed only where there is no RandAugment, which does so itself."""
        return draw_colours(aug.colour, generator) if aug.colour and self.rand_augment is None else None

    def _rand_augmented(self, frames: np.ndarray, aug: LabelAugmentation, generator: torch.Generator) -> np.ndarray:
        """RandAugment, if there is any."""
        if self.rand_augment is None:
            return frames
        fill = aug.fill or (IMAGE_FILL if self.image else VIDEO_FILL)
        return self.rand_augment(frames, generator, fill=fill, interpolation=aug.interpolation)

    def _augment_video(self, frames: np.ndarray, aug: LabelAugmentation, generator: torch.Generator) -> np.ndarray:
        """RandAugment and the crop; what the crop discards is not computed."""
        height, width = frames.shape[1:3]
        if aug.jitter is not None:
            return self._scale_and_cut(self._rand_augmented(frames, aug, generator), aug, generator)
        size = (self.size, self.size)
        if self.rand_augment is None:
            box = random_resized_box(height, width, area=aug.area, aspect=aug.aspect, generator=generator)
            return crop_and_resize_plain(frames, box, size)
        draws = self.rand_augment.draw(generator)
        box = random_resized_box(height, width, area=aug.area, aspect=aug.aspect, generator=generator)
        part = apply_to_part(frames, draws, box, fill=aug.fill or VIDEO_FILL, interpolation=aug.interpolation)
        return crop_and_resize_plain(part, CropBox(0, 0, box.height, box.width), size)

    def _scale_and_cut(self, frames: np.ndarray, aug: LabelAugmentation, generator: torch.Generator) -> np.ndarray:
        height, width = frames.shape[1:3]
        assert aug.jitter is not None
        scaled = jitter_scale(height, width, scales=aug.jitter, inverse=aug.inverse_uniform, generator=generator)
        frames = crop_and_resize_plain(frames, CropBox(0, 0, height, width), scaled)
        box = random_square_box(*scaled, size=self.size, generator=generator)
        return cut_square(frames, box.top, box.left, self.size)

    def _crop_image(self, frames: np.ndarray, aug: LabelAugmentation, generator: torch.Generator) -> np.ndarray:
        height, width = frames.shape[1:3]
        box = random_resized_box(height, width, area=aug.area, aspect=aug.aspect, generator=generator)
        part = frames[:, box.top : box.top + box.height, box.left : box.left + box.width]
        return resize_bicubic(part, (self.size, self.size))


def _flips(aug: LabelAugmentation, generator: torch.Generator) -> bool:
    """A number is drawn in any case, so that what follows does not depend on the switch."""
    return torch.rand((), generator=generator).item() < 0.5 and aug.flip
