"""Brightness, contrast and saturation of training clips: drawn by the loader, applied on the device to the whole batch.

Colours are changed in float32, where the pixels become floats anyway, and never rounded in between. The loader is left
with three random numbers a clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from slowfast.structures.targets import TensorMap

_LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601, in torchvision's four digits


class ColourFactors(NamedTuple):
    """What a clip is blended by: with black, with its mean grey and with its grey pixels. 1 changes nothing."""

    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0


def draw_colours(strength: float, generator: torch.Generator) -> ColourFactors:
    """Three factors from 1 - strength (0 at the least) to 1 + strength, each drawn for itself."""
    low, high = max(0.0, 1 - strength), 1 + strength
    return ColourFactors(
        *(low + (high - low) * torch.rand((), generator=generator).item() for _ in ColourFactors._fields)
    )


@dataclass(frozen=True)
class ClipColours:
    """What is still to be done to the colours of a batch.

    factors: (B, 3) float32, the ColourFactors of each clip
    sizes:   B of (height, width), the part of each clip from the top left that is not padding
    """

    factors: Tensor
    sizes: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, drawn: Sequence[ColourFactors | None], sizes: Sequence[tuple[int, int]]) -> "ClipColours | None":
        """Of a batch. None for a clip that stays as it is; None where all do."""
        if not any(drawn):
            return None
        return cls(torch.tensor([factors or ColourFactors() for factors in drawn], dtype=torch.float32), tuple(sizes))

    def map(self, change: TensorMap) -> "ClipColours":
        return replace(self, factors=change(self.factors))

    def __call__(self, clips: Tensor) -> Tensor:
        """clips (B, 3, T, H, W) float32 RGB from 0 to 255, as they are shown (mirrored ones mirrored); changed in place.

        The mean grey of contrast is that of the whole clip, so that its frames stay as bright beside each other as they
        were; padding has no part in it and stays black. Results are from 0 to 255.
        """
        whole = (clips.shape[-2], clips.shape[-1])
        if clips.device.type != "cpu" and all(size == whole for size in self.sizes):
            return _change(clips, self.factors)
        # One clip after the other is kinder to the caches of a CPU, and its bits do not depend on the others.
        for clip, factors, (height, width) in zip(clips, self.factors, self.sizes, strict=True):
            _change(clip[None, ..., :height, :width], factors[None])
        return clips


def _change(clips: Tensor, factors: Tensor) -> Tensor:
    """As ClipColours, of clips without padding."""
    brightness, contrast, saturation = (column.view(-1, 1, 1, 1, 1) for column in factors.unbind(1))
    clips.mul_(brightness).clamp_(0, 255)
    mean = _grey(clips).mean((2, 3, 4), keepdim=True)
    clips.mul_(contrast).add_((1 - contrast) * mean).clamp_(0, 255)
    grey = _grey(clips)
    return clips.mul_(saturation).add_(grey.mul_(1 - saturation)).clamp_(0, 255)


def _grey(clips: Tensor) -> Tensor:
    """(B, 3, T, H, W) -> (B, 1, T, H, W)"""
    red, green, blue = clips.split(1, dim=1)
    return red.mul(_LUMA[0]).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])
