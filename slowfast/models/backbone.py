"""What a model asks of its backbone. Any module that has these will do; none has to derive from a class of ours."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeGuard

import torch
from torch import Tensor, nn

from slowfast.layers.token_grid import Size3
from slowfast.models.encoded import Encoded

_MANY = 32


class Backbone(Protocol):
    """clips (B, 3, T, H, W), normalised RGB -> tokens (B, T', H', W', dim)."""

    @property
    def dim(self) -> int:
        """Channels of the output tokens."""

    @property
    def stride(self) -> Size3:
        """Pixels of the input that one output token covers along (T, H, W)."""

    def __call__(self, clips: Tensor) -> Tensor: ...


class EncodingBackbone(Backbone, Protocol):
    """What class tokens and deep supervision need beside that (`MViT`, `ViT`). norm: the last one."""

    norm: nn.Module

    @property
    def block_dims(self) -> Sequence[int]:
        """Channels that each block leaves."""

    def encode(self, clips: Tensor, *, keep_blocks: Sequence[int] = ()) -> Encoded: ...


class FrameBackbone(Backbone, Protocol):
    """A backbone with a part that sees single frames (`FrameCNNMViT`): a frame goes through it once, whatever clips it is
    in.

    feature_stride: pixels along each side of a frame that one place of its features covers
    """

    @property
    def feature_stride(self) -> int: ...

    def frame_features(self, frames: Tensor) -> Tensor:
        """frames (N, 3, H, W), normalised RGB -> (N, F, H / feature_stride, W / feature_stride)."""

    def folded_frames(self) -> Callable[[Tensor], Tensor]:
        """`frame_features` with the weights as they are now, faster and for evaluation only."""

    def forward_features(self, features: Tensor) -> Tensor:
        """(B, F, T, H / feature_stride, W / feature_stride), the features of the T frames of each clip in their order ->
        what the backbone makes of these clips.
        """


def frames_at_once(device: torch.device) -> int:
    """How many frames go through the per-frame part of a backbone together: a CPU's caches hold the maps of one."""
    return 1 if device.type == "cpu" else _MANY


def sees_frames(backbone: object) -> TypeGuard[FrameBackbone]:
    """Whether a backbone has a part that sees single frames."""
    return hasattr(backbone, "frame_features") and hasattr(backbone, "forward_features")


def encodes(backbone: Backbone) -> TypeGuard[EncodingBackbone]:
    return hasattr(backbone, "encode")
