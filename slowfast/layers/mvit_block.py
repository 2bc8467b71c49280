"""One multiscale transformer block (MViT, figure 2; MViTv2, figure 2)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slowfast.layers import kernels
from slowfast.layers.drop_path import DropPath
from slowfast.layers.kernels import normed
from slowfast.layers.mlp import Mlp
from slowfast.layers.norm import LayerNorm
from slowfast.layers.pooling_attention import PoolingAttention
from slowfast.layers.precision import unrounded_sum
from slowfast.layers.token_grid import Size3, pool_tokens, size3


@dataclass(frozen=True)
class BlockSpec:
    """Everything that differs between the blocks of one network: one row per block.

    dim_in, dim_out:     channels before and after the block
    attention_dim:       channels inside the attention: dim_out in MViTv2, whose attention widens, dim_in in MViTv1
    in_size:             the (T, H, W) grid it is planned for; it decides the rows of the relative position tables
    q_kernel, kv_kernel: pooling kernels, None for no pooling
    """

    dim_in: int
    dim_out: int
    attention_dim: int
    num_heads: int
    in_size: Size3
    q_stride: Size3
    kv_stride: Size3
    q_kernel: Size3 | None
    kv_kernel: Size3 | None

    @property
    def out_size(self) -> Size3:
        return size3(size // stride for size, stride in zip(self.in_size, self.q_stride, strict=True))

    def rel_pos_sizes(self, *, temporal: bool, spatial: bool) -> Size3:
        """Rows of the (t, h, w) tables, 2 * max(q, k) - 1 along each axis that has one, else 0."""
        rows = []
        for size, q, kv, used in zip(
            self.in_size, self.q_stride, self.kv_stride, (temporal, spatial, spatial), strict=True
        ):
            rows.append((2 * max(size // q, size // kv) - 1) if used else 0)
        return size3(rows)


class MultiScaleBlock(nn.Module):
    """norm -> pooling attention -> + pooled skip; norm -> MLP -> + skip.

    x (B, [1 +] THW, dim_in) and its grid -> (B, [1 +] T'H'W', dim_out) and (T', H', W').
    """

    def __init__(
        self,
        spec: BlockSpec,
        *,
        class_token: bool,
        rel_pos_temporal: bool,
        rel_pos_spatial: bool,
        residual_pooling: bool,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        separate_qkv: bool = False,
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.class_token = class_token
        self.widens_in_attention = spec.attention_dim != spec.dim_in
        self.widens_in_mlp = spec.dim_in != spec.dim_out and not self.widens_in_attention
        self.norm1 = LayerNorm(spec.dim_in, eps=1e-6)
        self.attn = PoolingAttention(
            spec.dim_in,
            dim_out=spec.attention_dim,
            num_heads=spec.num_heads,
            q_kernel=spec.q_kernel,
            kv_kernel=spec.kv_kernel,
            q_stride=spec.q_stride,
            kv_stride=spec.kv_stride,
            rel_pos_sizes=spec.rel_pos_sizes(temporal=rel_pos_temporal, spatial=rel_pos_spatial),
            class_token=class_token,
            residual_pooling=residual_pooling,
            qkv_bias=qkv_bias,
            separate_qkv=separate_qkv,
            dropout=dropout,
        )
        self.drop_path = DropPath(drop_path)
        self.norm2 = LayerNorm(spec.attention_dim, eps=1e-6)
        hidden = int(spec.attention_dim * mlp_ratio)
        self.mlp = Mlp(spec.attention_dim, hidden=hidden, dim_out=spec.dim_out, dropout=dropout)
        self.proj = kernels.Linear(spec.dim_in, spec.dim_out) if spec.dim_in != spec.dim_out else nn.Identity()
        self.pool_skip: nn.MaxPool3d | None = None
        if max(spec.q_stride) > 1:
            kernel = size3(s + 1 if s > 1 else s for s in spec.q_stride)
            self.pool_skip = nn.MaxPool3d(kernel, spec.q_stride, size3(k // 2 for k in kernel))

    def _pooled(self, skip: Tensor, grid: Size3) -> Tensor:
        """(B, [1 +] THW, C) -> (B, [1 +] T'H'W', C): the skip, pooled like the queries."""
        pool = self.pool_skip
        if pool is None:
            return skip
        return pool_tokens(
            skip, grid, lambda x: pool(x.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1), self.class_token
        )[0]

    def forward(self, x: Tensor, grid: Size3) -> tuple[Tensor, Size3]:
        attended, new_grid = self.attn(normed(self.norm1, x), grid)
        skip = self.proj(normed(self.norm1, x)) if self.widens_in_attention else x
        skip = self._pooled(skip, grid)
        dtype = torch.promote_types(skip.dtype, attended.dtype)  # of the tokens from block to block
        x = unrounded_sum(skip, self.drop_path(attended))

        skip = self.proj(normed(self.norm2, x)) if self.widens_in_mlp else x
        x = skip + self.drop_path(self.mlp(normed(self.norm2, x)))
        return x.to(dtype), new_grid
