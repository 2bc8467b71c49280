"""Plain vision transformer over tubelets (Dosovitskiy et al. 2021), as VideoMAE trains it (Tong et al. 2022).

Parameter names are VideoMAE's, so that its weights load: patch_embed.proj, blocks.N.attn.{qkv.weight, q_bias, v_bias,
proj}.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from slowfast.layers import kernels
from slowfast.layers.drop_path import DropPath
from slowfast.layers.kernels import normed
from slowfast.layers.mlp import Mlp
from slowfast.layers.patch_embed import PatchEmbed
from slowfast.layers.position import resize_grid_embedding
from slowfast.layers.token_grid import Size3, size3, volume
from slowfast.models.encoded import Encoded


class ViTAttention(nn.Module):
    """Multi-head self-attention over all tokens. x (B, THW, C) and its grid -> (B, THW, C).

    Keys have no bias: softmax does not change when all logits of a query move by the same amount, so one would do
    nothing.
    """

    def __init__(self, dim: int, *, num_heads: int, qkv_bias: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"width {dim} must be divisible by its {num_heads} heads (MVIT.EMBED_DIM, MVIT.NUM_HEADS)")
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim)) if qkv_bias else None
        self.v_bias = nn.Parameter(torch.zeros(dim)) if qkv_bias else None
        self.proj = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def queries_keys_values(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, THW, C) -> q, k and v, each (B, N, THW, D) for N heads of D channels."""
        bias = None
        if self.q_bias is not None and self.v_bias is not None:
            bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = F.linear(x, self.qkv.weight, bias).unflatten(2, (3, self.num_heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        return q, k, v

    def forward(self, x: Tensor, grid: Size3) -> Tensor:
        q, k, v = self.queries_keys_values(x)
        x = kernels.attend(q, k, v, (None, None, None), q_grid=grid, k_grid=grid, class_token=False)
        return self.dropout(self.proj(x.transpose(1, 2).flatten(2)))


class ViTBlock(nn.Module):
    """norm -> attention -> + skip; norm -> MLP -> + skip. x (B, THW, C) and its grid -> the same shape."""

    def __init__(
        self, dim: int, *, num_heads: int, mlp_ratio: float, qkv_bias: bool, dropout: float, drop_path: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = ViTAttention(dim, num_heads=num_heads, qkv_bias=qkv_bias, dropout=dropout)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, hidden=int(dim * mlp_ratio), dim_out=dim, dropout=dropout)

    def forward(self, x: Tensor, grid: Size3) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm1(x), grid))
        return x + self.drop_path(self.mlp(normed(self.norm2, x)))


class ViT(nn.Module):
    """clips (B, 3, T, H, W), normalised RGB -> tokens (B, T', H', W', C) after the last norm; one stride throughout.

    Positions are fixed sines and cosines, numbered over the token grid of the pre-training and resized to the grid at
    hand, so that any T x H x W that the tubelet divides works and published weights see the positions they were
    trained with.

    tubelet:           (t, h, w) pixels of one token
    pretraining_size:  (T, H, W) whose token grid the positions are numbered on
    drop_path:         rate of the last block; it grows linearly from 0 at the first
    act_checkpoint:    recompute each block in the backward pass instead of keeping its activations
    """

    position_table: Tensor

    def __init__(
        self,
        *,
        depth: int,
        dim: int,
        num_heads: int,
        tubelet: Sequence[int] = (2, 16, 16),
        pretraining_size: Size3 = (16, 224, 224),
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        act_checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.dim, self.act_checkpoint = dim, act_checkpoint
        self.stride = size3(tubelet)
        self.block_dims = (dim,) * depth
        self.position_grid = size3(max(1, s // t) for s, t in zip(pretraining_size, tubelet, strict=True))
        self.patch_embed = PatchEmbed(dim, kernel=tubelet, stride=tubelet, padding=(0, 0, 0))
        table = sinusoid_table(volume(self.position_grid), dim)
        self.register_buffer("position_table", table, persistent=False)  # a formula, not a weight
        self.position_dropout = nn.Dropout(dropout)
        rates = torch.linspace(0, drop_path, depth, device="cpu").tolist()
        self.blocks = nn.ModuleList(
            ViTBlock(dim, num_heads=num_heads, mlp_ratio=mlp_ratio, qkv_bias=qkv_bias, dropout=dropout, drop_path=rate)
            for rate in rates
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def encode(self, clips: Tensor, *, keep_blocks: Sequence[int] = ()) -> Encoded:
        """Run the network: the final tokens, and the outputs of the blocks named in `keep_blocks`. No class token."""
        x, grid = self.patch_embed(clips)
        x = self.position_dropout(x + resize_grid_embedding(self.position_table, self.position_grid, grid).to(x.dtype))
        kept = {}
        for index, block in enumerate(self.blocks):
            if self.act_checkpoint and self.training:
                x = checkpoint(block, x, grid, use_reentrant=False)
            else:
                x = block(x, grid)
            if index in keep_blocks:
                kept[index] = x.unflatten(1, grid)
        return Encoded(self.norm(x).unflatten(1, grid), None, kept)

    def forward(self, clips: Tensor) -> Tensor:
        return self.encode(clips).tokens


def sinusoid_table(positions: int, dim: int) -> Tensor:
    """(1, positions, dim) float32: sin at even and cos at odd channels of position / 10000^(2 floor(c/2) / dim)."""
    channel = torch.arange(dim, dtype=torch.float64)
    rate = torch.exp(-math.log(10000) * 2 * (channel // 2) / dim)
    angle = torch.arange(positions, dtype=torch.float64)[:, None] * rate
    return torch.where(channel.long() % 2 == 0, angle.sin(), angle.cos()).float()[None]
