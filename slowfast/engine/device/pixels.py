"""A module that normalises its clips itself: what is compiled then reads them as uint8, a quarter of the bytes of float."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slowfast.structures.clip import scale_and_shift


class Pixels:
    """A forward pre-hook of a module whose first argument are clips (B, 3, T, H, W): uint8 RGB become float32, as
    `ClipBatch.normalized` makes them, to the last digit where it is not compiled. Clips that are floats pass.

    mean, std: (3,) of R, G, B in [0, 1], on the device; bgr: exchange the channels after that
    """

    def __init__(self, mean: Tensor, std: Tensor, *, bgr: bool = False) -> None:
        self.scale, self.shift = scale_and_shift(mean, std)
        self.bgr = bgr

    def __call__(self, module: nn.Module, args: tuple) -> tuple:
        clips: Tensor = args[0]
        if clips.dtype != torch.uint8:
            return args
        pixels = clips.float() * self.scale - self.shift
        return (pixels.flip(1) if self.bgr else pixels, *args[1:])


def normalises_itself(module: nn.Module) -> bool:
    """Whether `module` has such a hook."""
    hooks: Sequence[object] = tuple(module._forward_pre_hooks.values())
    return any(isinstance(hook, Pixels) for hook in hooks)
