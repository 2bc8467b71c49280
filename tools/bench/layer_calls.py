"""Which attentions and poolings a config's network computes: recorded from one clip on the meta device."""

from collections import Counter
from dataclasses import dataclass
from unittest.mock import patch

import torch
from fvcore.common.config import CfgNode

from slowfast.layers import kernels
from slowfast.layers.kernels import attend, depthwise_conv, projection
from slowfast.layers.token_grid import Size3, volume
from slowfast.models.build import build_model, input_size


@dataclass(frozen=True)
class AttentionCall:
    """One attention. axes: which of (t, h, w) have relative positions."""

    heads: int
    channels: int
    q_grid: Size3
    k_grid: Size3
    class_token: bool
    axes: tuple[bool, bool, bool]

    def __str__(self) -> str:
        q, k = ("x".join(map(str, grid)) for grid in (self.q_grid, self.k_grid))
        return f"{self.heads} heads of {self.channels}, queries {q}, keys {k}" + ", class token" * self.class_token

    @property
    def lengths(self) -> tuple[int, int]:
        return volume(self.q_grid) + self.class_token, volume(self.k_grid) + self.class_token


@dataclass(frozen=True)
class PoolingCall:
    """One depthwise convolution of a (T, H, W) grid."""

    grid: Size3
    channels: int
    kernel: Size3
    stride: Size3
    class_token: bool

    def __str__(self) -> str:
        grid, kernel, stride = ("x".join(map(str, size)) for size in (self.grid, self.kernel, self.stride))
        return f"{grid} of {self.channels} channels, kernel {kernel}, stride {stride}"


def record_calls(cfg: CfgNode) -> tuple[Counter[AttentionCall], Counter[PoolingCall]]:
    """The distinct calls of one forward pass of the backbone, and how many blocks make each."""
    attentions: Counter[AttentionCall] = Counter()
    poolings: Counter[PoolingCall] = Counter()

    def note_attention(q, k, v, tables, **options):
        axes = tuple(table is not None for table in tables)
        attentions[AttentionCall(q.shape[1], q.shape[-1], axes=axes, **options)] += 1
        return attend(q, k, v, tables, **options)

    def note_pooling(x, weight, stride):
        behind_class_token = not x.is_contiguous() or x.storage_offset() > 0
        call = PoolingCall(tuple(x.shape[1:4]), x.shape[-1], tuple(weight.shape[2:]), tuple(stride), behind_class_token)
        poolings[call] += 1
        return depthwise_conv(x, weight, stride)

    with torch.device("meta"), torch.no_grad():
        backbone, clip = build_model(cfg).get_submodule("backbone").eval(), torch.empty(1, 3, *input_size(cfg))
        with (
            patch.object(kernels, "attend", note_attention),
            patch.object(projection, "depthwise_conv", note_pooling),
        ):
            backbone(clip)
    return attentions, poolings
