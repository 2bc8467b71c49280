"""What a model asks of its backbone. Any module that has these will do; none has to derive from a class of ours."""

from collections.abc import Sequence
from typing import Protocol, TypeGuard

from torch import Tensor, nn

from slowfast.layers.token_grid import Size3
from slowfast.models.encoded import Encoded


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
    """One that looks at each frame by itself before it looks at them together, such as an image network under blocks.

    Where clips overlap, a stream of them lets each frame through the first part once (`inference/streams/frame_reuse.py`).
    `forward_features` of the features of a clip's frames gives what calling the backbone on the clip gives.
    """

    def frame_features(self, frames: Tensor) -> Tensor:
        """frames (N, 3, H, W), normalised RGB -> (N, F, ...). In eval the features of a frame depend on nothing else."""
        ...

    def forward_features(self, features: Tensor) -> Tensor:
        """(B, F, T, ...), the features of the T frames of each clip in their order -> tokens (B, T', H', W', dim)."""
        ...


def sees_frames_apart(backbone: object) -> TypeGuard[FrameBackbone]:
    return hasattr(backbone, "frame_features") and hasattr(backbone, "forward_features")


def encodes(backbone: Backbone) -> TypeGuard[EncodingBackbone]:
    return hasattr(backbone, "encode")
