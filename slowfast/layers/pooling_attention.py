"""Pooling attention: q, k and v are pooled on their (T, H, W) grid before attention (MViT, section 3.1; MViTv2, section 3.2)."""

import torch
from torch import Tensor, nn

from slowfast.layers.attention import attend
from slowfast.layers.token_grid import Size3, split_class_token


def pool_tokens(x: Tensor, grid: Size3, pool: nn.Module | None, norm: nn.Module | None, class_token: bool) -> tuple[Tensor, Size3]:
    """Pool a sequence on its grid; the class token passes by the pooling but not by the norm.

    x (B, N, L, D) with L = [1 +] T H W -> (B, N, L', D) and the pooled (T', H', W').
    """
    if pool is None:
        return x, grid
    first, rest = split_class_token(x, class_token)
    batch, heads, _, channels = rest.shape
    rest = rest.reshape(batch * heads, *grid, channels).permute(0, 4, 1, 2, 3)
    rest = pool(rest)
    grid = tuple(rest.shape[2:])
    rest = rest.flatten(2).transpose(1, 2).reshape(batch, heads, -1, channels)
    x = rest if first is None else torch.cat([first, rest], dim=2)
    return (x if norm is None else norm(x)), grid


class PoolingAttention(nn.Module):
    """Multi-head attention whose q, k and v are pooled by depthwise convolutions shared between heads.

    x (B, [1 +] THW, dim_in) and its grid -> (B, [1 +] T'H'W', dim_out) and (T', H', W') after the query stride.

    q_kernel, kv_kernel: None means no pooling; rel_pos_sizes: rows of the (t, h, w) tables, 0 for no table.
    """

    def __init__(
        self,
        dim_in: int,
        *,
        dim_out: int,
        num_heads: int,
        q_kernel: Size3 | None,
        kv_kernel: Size3 | None,
        q_stride: Size3,
        kv_stride: Size3,
        rel_pos_sizes: Size3,
        class_token: bool,
        residual_pooling: bool,
        qkv_bias: bool = True,
        separate_qkv: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if dim_out % num_heads:
            raise ValueError(f"attention width {dim_out} must be divisible by its {num_heads} heads (MVIT.EMBED_DIM, DIM_MUL, HEAD_MUL)")
        self.num_heads, self.class_token, self.residual_pooling = num_heads, class_token, residual_pooling
        head_dim = dim_out // num_heads
        for axis, rows in zip("thw", rel_pos_sizes, strict=True):
            self.register_parameter(f"rel_pos_{axis}", nn.Parameter(torch.zeros(rows, head_dim)) if rows else None)
        if separate_qkv:
            self.q, self.k, self.v = (nn.Linear(dim_in, dim_out, bias=qkv_bias) for _ in range(3))
            self.qkv = None
        else:
            self.qkv = nn.Linear(dim_in, 3 * dim_out, bias=qkv_bias)
        self.proj = nn.Linear(dim_out, dim_out)
        self.dropout = nn.Dropout(dropout)
        self._make_pool("q", head_dim, q_kernel, q_stride)
        self._make_pool("k", head_dim, kv_kernel, kv_stride)
        self._make_pool("v", head_dim, kv_kernel, kv_stride)

    def _make_pool(self, name: str, channels: int, kernel: Size3 | None, stride: Size3) -> None:
        pool, norm = None, None
        if kernel is not None:
            padding = tuple(k // 2 for k in kernel)
            pool = nn.Conv3d(channels, channels, kernel, stride=stride, padding=padding, groups=channels, bias=False)
            norm = nn.LayerNorm(channels, eps=1e-6)
        self.add_module(f"pool_{name}", pool)
        self.add_module(f"norm_{name}", norm)

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, L, dim_in) -> q, k, v, each (B, N, L, D)."""
        if self.qkv is None:
            return tuple(layer(x).unflatten(2, (self.num_heads, -1)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        return self.qkv(x).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)

    def forward(self, x: Tensor, grid: Size3) -> tuple[Tensor, Size3]:
        q, k, v = self._project(x)
        q, q_grid = pool_tokens(q, grid, self.pool_q, self.norm_q, self.class_token)
        k, k_grid = pool_tokens(k, grid, self.pool_k, self.norm_k, self.class_token)
        v, _ = pool_tokens(v, grid, self.pool_v, self.norm_v, self.class_token)

        tables = (self.rel_pos_t, self.rel_pos_h, self.rel_pos_w)
        x = attend(q, k, v, tables, q_grid=q_grid, k_grid=k_grid, class_token=self.class_token)
        if self.residual_pooling:  # MViTv2, equation 5; the class token is left as it is
            x = torch.cat([x[:, :, :1], x[:, :, 1:] + q[:, :, 1:]], dim=2) if self.class_token else x + q
        x = x.transpose(1, 2).flatten(2)
        return self.dropout(self.proj(x)), q_grid
