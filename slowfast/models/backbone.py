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


def encodes(backbone: Backbone) -> TypeGuard[EncodingBackbone]:
    return hasattr(backbone, "encode")
