"""Pooling attention: q, k and v are pooled on their (T, H, W) grid first (MViT, section 3.1; MViTv2, section 3.2)."""

import torch
from torch import Tensor, nn

from slowfast.layers import kernels
from slowfast.layers.attention import Tables
from slowfast.layers.norm import LayerNorm
from slowfast.layers.token_grid import Size3, size3, split_class_token


class PoolingAttention(nn.Module):
    """Multi-head attention whose q, k and v are pooled by depthwise convolutions shared between heads.

    x (B, [1 +] THW, dim_in) and its grid -> (B, [1 +] T'H'W', dim_out) and (T', H', W') after the query stride.

    q_kernel, kv_kernel: None means no pooling; rel_pos_sizes: rows of the (t, h, w) tables, 0 for no table.
    """

    rel_pos_t: nn.Parameter | None
    rel_pos_h: nn.Parameter | None
    rel_pos_w: nn.Parameter | None

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
        self.qkv = None if separate_qkv else kernels.Linear(dim_in, 3 * dim_out, bias=qkv_bias)
        if separate_qkv:
            self.q, self.k, self.v = (kernels.Linear(dim_in, dim_out, bias=qkv_bias) for _ in range(3))
        self.proj = kernels.Linear(dim_out, dim_out)
        self.dropout = nn.Dropout(dropout)
        self.q_stride, self.kv_stride = q_stride, kv_stride
        self.pool_q, self.norm_q = _make_pool(head_dim, q_kernel, q_stride)
        self.pool_k, self.norm_k = _make_pool(head_dim, kv_kernel, kv_stride)
        self.pool_v, self.norm_v = _make_pool(head_dim, kv_kernel, kv_stride)

    def _projections(self) -> tuple[kernels.Projection, kernels.Projection]:
        """Of the queries, and of the keys beside the values, which are always pooled alike."""
        q_pool, kv_pool = self._stencil(self.pool_q), self._stencil(self.pool_k, self.pool_v)
        if self.qkv is None:
            q, k, v = ((layer.weight, layer.bias) for layer in (self.q, self.k, self.v))
            return kernels.Projection((q,), q_pool, self.q_stride), kernels.Projection((k, v), kv_pool, self.kv_stride)
        widths = [self.proj.in_features, 2 * self.proj.in_features]
        q_weight, kv_weight = self.qkv.weight.split(widths)
        q_bias, kv_bias = (None, None) if self.qkv.bias is None else self.qkv.bias.split(widths)
        q, kv = (q_weight, q_bias), (kv_weight, kv_bias)
        return kernels.Projection((q,), q_pool, self.q_stride), kernels.Projection((kv,), kv_pool, self.kv_stride)

    def _stencil(self, *pools: nn.Conv3d | None) -> Tensor | None:
        """(len(pools), D, t, h, w): the kernels of a head's channels, which all heads of a pooling share."""
        weights = [pool.weight.squeeze(1) for pool in pools if pool is not None]
        if len(weights) == 1:
            return weights[0][None]
        return torch.stack(weights) if weights else None

    def _heads(self, x: Tensor, norm: nn.Module | None) -> Tensor:
        """(B, L, C) -> normalised heads (B, N, L, D)."""
        x = x.unflatten(2, (self.num_heads, -1))
        return (x if norm is None else norm(x)).transpose(1, 2)

    @property
    def tables(self) -> Tables:
        """The relative positions along (t, h, w), None where there are none."""
        return (self.rel_pos_t, self.rel_pos_h, self.rel_pos_w)

    def queries_keys_values(self, x: kernels.Tokens, grid: Size3) -> tuple[Tensor, Tensor, Tensor, Size3, Size3]:
        """x (B, [1 +] THW, dim_in) -> pooled q (B, N, [1 +] Q, D), k and v (B, N, [1 +] K, D), the grids of Q and of K."""
        q, k, v, q_grid, k_grid = self._pooled(x, grid, apart=False)
        assert isinstance(q, Tensor)
        return self._heads(q, self.norm_q), k, v, q_grid, k_grid

    def _pooled(
        self, x: kernels.Tokens, grid: Size3, *, apart: bool
    ) -> tuple[Tensor | kernels.Apart, Tensor, Tensor, Size3, Size3]:
        """As `queries_keys_values`, but the queries (B, [1 +] Q, N D) are not normed yet."""
        (q, q_grid), (kv, k_grid) = kernels.project_and_pool(
            x, grid, *self._projections(), class_token=self.class_token, apart=apart
        )
        assert isinstance(kv, Tensor)
        k, v = kv.chunk(2, dim=-1)
        return q, self._heads(k, self.norm_k), self._heads(v, self.norm_v), q_grid, k_grid

    def forward(self, x: kernels.Tokens, grid: Size3) -> tuple[Tensor, Size3]:
        if kernels.takes_pooled_apart(x, self.norm_q, self.tables):
            pooled, k, v, q_grid, k_grid = self._pooled(x, grid, apart=True)
            assert isinstance(pooled, kernels.Apart)
            sizes = {"q_grid": q_grid, "k_grid": k_grid}
            attended, q = kernels.attend_pooled(
                pooled, self.norm_q, k, v, self.tables, **sizes, class_token=self.class_token
            )
        else:
            q, k, v, q_grid, k_grid = self.queries_keys_values(x, grid)
            sizes = {"q_grid": q_grid, "k_grid": k_grid}
            attended = kernels.attend(q, k, v, self.tables, **sizes, class_token=self.class_token)
        attended, q = attended.transpose(1, 2), q.transpose(1, 2)  # (B, Q, N, D)
        if self.residual_pooling:
            attended = self._add_queries(attended, q)
        return self.dropout(self.proj(attended.flatten(2))), q_grid

    def _add_queries(self, attended: Tensor, q: Tensor) -> Tensor:
        """(B, [1 +] Q, N, D): the pooled queries added (MViTv2, equation 5); the class token is left as it is."""
        (first, rest), (_, q) = (split_class_token(tokens, self.class_token, dim=1) for tokens in (attended, q))
        return rest + q if first is None else torch.cat([first, rest + q], dim=1)


def _make_pool(channels: int, kernel: Size3 | None, stride: Size3) -> tuple[nn.Conv3d | None, nn.LayerNorm | None]:
    """The depthwise convolution that pools the channels of a head, and the norm behind it."""
    if kernel is None:
        return None, None
    padding = size3(k // 2 for k in kernel)
    pool = nn.Conv3d(channels, channels, kernel, stride=stride, padding=padding, groups=channels, bias=False)
    return pool, LayerNorm(channels, eps=1e-6)
