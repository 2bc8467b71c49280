"""Which attentions and poolings a config's network computes: recorded from one clip on the meta device."""

from collections import Counter
from dataclasses import dataclass
from unittest.mock import patch

import torch
from fvcore.common.config import CfgNode

from slowfast.layers import kernels
from slowfast.layers.kernels import attend, choice, depthwise_conv
from slowfast.layers.kernels.depthwise import convolution
from slowfast.layers.token_grid import Size3, size3, volume
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
    """One depthwise convolution of a (T, H, W) grid. shared: (G, D), how many groups of heads, whose heads share D kernels."""

    grid: Size3
    channels: int
    kernel: Size3
    stride: Size3
    class_token: bool
    shared: tuple[int, int]

    def __str__(self) -> str:
        grid, kernel, stride = ("x".join(map(str, size)) for size in (self.grid, self.kernel, self.stride))
        heads = self.channels // (self.shared[0] * self.shared[1])
        sharing = f", each for {heads} heads" * (heads > 1)
        return f"{grid} of {self.channels} channels, kernel {kernel}, stride {stride}{sharing}"


def record_calls(cfg: CfgNode, device: torch.device) -> tuple[Counter[AttentionCall], Counter[PoolingCall]]:
    """The distinct calls of one forward pass of the backbone as it runs on `device`, and how many blocks make each.

    A device that projects keys and values of all tokens pools larger grids, at other strides (`choice.reads_seen_tokens`).
    """
    attentions: Counter[AttentionCall] = Counter()
    poolings: Counter[PoolingCall] = Counter()

    def note_attention(q, k, v, tables, **options):
        axes = tuple(table is not None for table in tables)
        attentions[AttentionCall(q.shape[1], q.shape[-1], axes=axes, **options)] += 1
        return attend(q, k, v, tables, **options)

    def note_pooling(x, weight, stride):
        behind_class_token = not x.is_contiguous() or x.storage_offset() > 0
        (groups, head), kernel = weight.shape[:2], size3(weight.shape[2:])
        call = PoolingCall(size3(x.shape[1:4]), x.shape[-1], kernel, stride, behind_class_token, (groups, head))
        poolings[call] += 1
        return depthwise_conv(x, weight, stride)

    sees_less = choice.reads_seen_tokens(device)
    with torch.device("meta"), torch.no_grad():
        backbone, clip = build_model(cfg).get_submodule("backbone").eval(), torch.empty(1, 3, *input_size(cfg))
        with (
            patch.object(kernels, "attend", note_attention),
            patch.object(convolution, "depthwise_conv", note_pooling),
            patch.object(choice, "reads_seen_tokens", lambda _: sees_less),
        ):
            backbone(clip)
    return attentions, poolings
