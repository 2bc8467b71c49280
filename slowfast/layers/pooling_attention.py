"""Pooling attention: q, k and v are pooled on their (T, H, W) grid first (MViT, section 3.1; MViTv2, section 3.2)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from slowfast.layers.attention import attend, is_plain
from slowfast.layers.kernels.depthwise import depthwise_conv
from slowfast.layers.kernels.linear import Linear, linear
from slowfast.layers.kernels.recompute import recomputed
from slowfast.layers.kernels.seen_tokens import close_windows, seen_tokens
from slowfast.layers.token_grid import Size3, split_class_token


def pool_tokens(x: Tensor, grid: Size3, pool: Callable[[Tensor], Tensor], class_token: bool) -> tuple[Tensor, Size3]:
    """Pool a sequence on its grid; the class token passes by. Tokens stay channels last, so nothing is transposed.

    x (B, [1 +] THW, C), pool (B, T, H, W, C) -> (B, T', H', W', C): (B, [1 +] T'H'W', C) and (T', H', W').
    """
    first, rest = split_class_token(x, class_token)
    pooled = pool(rest.unflatten(1, grid))
    grid = tuple(pooled.shape[1:4])
    pooled = pooled.flatten(1, 3)
    return (pooled if first is None else torch.cat([first, pooled], dim=1)), grid


class PoolingAttention(nn.Module):
    """Multi-head attention whose q, k and v are pooled by depthwise convolutions shared between heads.

    x (B, [1 +] THW, dim_in) and its grid -> (B, [1 +] T'H'W', dim_out) and (T', H', W') after the query stride.

    q_kernel, kv_kernel: None means no pooling; rel_pos_sizes: rows of the (t, h, w) tables, 0 for no table.
    norm: applied to x first; in training its output is not kept for the backward pass (`recomputed`).

    Keys and values are made of the tokens that their pooling sees (`seen_tokens`).
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
            raise ValueError(
                f"attention width {dim_out} must be divisible by its {num_heads} heads "
                "(MVIT.EMBED_DIM, DIM_MUL, HEAD_MUL)"
            )
        self.num_heads, self.class_token, self.residual_pooling = num_heads, class_token, residual_pooling
        head_dim = dim_out // num_heads
        for axis, rows in zip("thw", rel_pos_sizes, strict=True):
            self.register_parameter(f"rel_pos_{axis}", nn.Parameter(torch.zeros(rows, head_dim)) if rows else None)
        if separate_qkv:
            self.q, self.k, self.v = (Linear(dim_in, dim_out, bias=qkv_bias) for _ in range(3))
            self.qkv = None
        else:
            self.qkv = Linear(dim_in, 3 * dim_out, bias=qkv_bias)
        self.proj = Linear(dim_out, dim_out)
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

    def _kv_windows(self, grid: Size3) -> tuple[Size3, Size3]:
        """The grid of the tokens that keys and values are made of, and the stride of their pooling on it."""
        if self.pool_k is None:
            return grid, (1, 1, 1)
        kernel, stride = self.pool_k.kernel_size, self.pool_k.stride
        return (grid, stride) if is_plain() else close_windows(grid, kernel, stride)

    def _project(self, x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, dim_in), (B, L', dim_in) -> q (B, L, C), and k beside v (B, L', 2C), which are always pooled alike."""
        if self.qkv is None:
            return self.q(x), torch.cat([self.k(seen), self.v(seen)], dim=-1)
        width = self.proj.in_features
        q_bias, kv_bias = (None, None) if self.qkv.bias is None else self.qkv.bias.split([width, 2 * width])
        q_weight, kv_weight = self.qkv.weight.split([width, 2 * width])
        return linear(x, q_weight, q_bias), linear(seen, kv_weight, kv_bias)

    def _pool(self, x: Tensor, grid: Size3, stride: Size3, *pools: nn.Conv3d) -> tuple[Tensor, Size3]:
        """Pool (B, [1 +] THW, len(pools) * C), all heads of all inputs at once; heads share a kernel."""
        weight = torch.cat([pool.weight.repeat(self.num_heads, 1, 1, 1, 1) for pool in pools])
        return pool_tokens(x, grid, lambda tokens: depthwise_conv(tokens, weight, stride), self.class_token)

    def _heads(self, x: Tensor, norm: nn.Module | None) -> Tensor:
        """(B, L, C) -> normalised heads (B, N, L, D)."""
        x = x.unflatten(2, (self.num_heads, -1))
        return (x if norm is None else norm(x)).transpose(1, 2)

    def forward(self, x: Tensor, grid: Size3, *, norm: nn.Module) -> tuple[Tensor, Size3]:
        kv_grid, kv_stride = self._kv_windows(grid)

        def project(tokens: Tensor) -> tuple[Tensor, Tensor]:
            tokens = norm(tokens)
            if kv_grid == grid:
                return self._project(tokens, tokens)
            return self._project(tokens, seen_tokens(tokens, grid, self.pool_k, self.class_token))

        (q, kv), q_grid, k_grid = recomputed(project, x), grid, kv_grid
        if self.pool_q is not None:
            q, q_grid = self._pool(q, grid, self.pool_q.stride, self.pool_q)
        if self.pool_k is not None:
            kv, k_grid = self._pool(kv, kv_grid, kv_stride, self.pool_k, self.pool_v)
        k, v = kv.chunk(2, dim=-1)
        q, k, v = self._heads(q, self.norm_q), self._heads(k, self.norm_k), self._heads(v, self.norm_v)

        tables = (self.rel_pos_t, self.rel_pos_h, self.rel_pos_w)
        x = attend(q, k, v, tables, q_grid=q_grid, k_grid=k_grid, class_token=self.class_token)
        x, q = x.transpose(1, 2), q.transpose(1, 2)
        if self.residual_pooling:  # MViTv2, equation 5; the class token is left as it is
            (first, x), (_, q) = (split_class_token(tokens, self.class_token, dim=1) for tokens in (x, q))
            x = x + q if first is None else torch.cat([first, x + q], dim=1)
        return self.dropout(self.proj(x.flatten(2))), q_grid
