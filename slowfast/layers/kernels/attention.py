"""Attention with decomposed relative positions, fused: no (Q, K) matrix of our own (`layers.attention` defines it)."""

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from slowfast.layers.attention import Tables, attend_plain
from slowfast.layers.kernels import choice, queries, queries_torch
from slowfast.layers.kernels.exported import attend_in_parts
from slowfast.layers.kernels.projection import Apart
from slowfast.layers.kernels.recompute import Tokens, recomputed
from slowfast.layers.precision import autocast_type
from slowfast.layers.rel_pos import axis_biases, axis_rows
from slowfast.layers.tensor_cache import cached_tensor
from slowfast.layers.token_grid import Size3, split_class_token

# The fused kernels of a GPU take widths that are multiples of this: cuDNN's and the float32 one no others, and PyTorch
# copies q, k and v to widen them for FlashAttention. Without any, PyTorch makes the (Q, K) matrix.
_WIDTH_STEP = 8
_ALL_BUT_CUDNN = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def attend(
    q: Tensor, k: Tensor, v: Tensor, tables: Tables, *, q_grid: Size3, k_grid: Size3, class_token: bool
) -> Tensor:
    """softmax(q k^T / sqrt(D) + bias) v.

    q (B, N, Q, D), k and v (B, N, K, D); tables: positions along (t, h, w), each (R, D) or None -> (B, N, Q, D).
    """
    function = attend_plain if choice.is_plain() else attend_exported if choice.is_for_export() else attend_fused
    return function(q, k, v, tables, q_grid=q_grid, k_grid=k_grid, class_token=class_token)


def takes_pooled_apart(x: Tokens, norm: nn.Module | None, tables: Tables) -> bool:
    """True where `attend_pooled` wants the queries made of x (..., C) with their class token apart."""
    tokens = x if isinstance(x, Tensor) else x.tokens
    if not isinstance(norm, nn.LayerNorm):
        return False
    ways = (choice.appends_in_one_kernel, choice.appends_without_copies, choice.appends_by_products)
    return any(way(tokens, tables) for way in ways)


def attend_pooled(
    q: Apart,
    norm: nn.Module | None,
    k: Tensor,
    v: Tensor,
    tables: Tables,
    *,
    q_grid: Size3,
    k_grid: Size3,
    class_token: bool,
) -> tuple[Tensor, Tensor]:
    """`attend` for queries that are still to be normed -> (B, N, Q, D), and the normed queries (B, N, Q, D).

    q: of N D channels; norm: over D. Only where `takes_pooled_apart`.
    """
    assert isinstance(norm, nn.LayerNorm)
    (first, pooled), heads = q, k.shape[1]
    channels, scale = v.shape[-1], v.shape[-1] ** -0.5
    code = key_code(k_grid, (True, True, True), class_token, -(channels + sum(k_grid)) % _WIDTH_STEP, k.device, k.dtype)
    dtype = autocast_type(pooled.device) or pooled.dtype
    rows = [
        (axis_rows(table, q_size, k_size) / scale).to(dtype)  # as in `attend_fused`
        for table, q_size, k_size in zip(tables, q_grid, k_grid, strict=True)
        if table is not None
    ]
    first = None if first is None else first.to(dtype)[:, 0].unflatten(1, (heads, channels))
    pooled = pooled.to(dtype).unflatten(4, (heads, channels))
    given = (first, norm, (rows[0], rows[1], rows[2]), channels + code.shape[-1])
    if choice.appends_in_one_kernel(pooled, tables):
        q_wide = queries.append_biases(pooled, *given)
    elif choice.appends_without_copies(pooled, tables):
        q_wide = queries_torch.append_biases(pooled, *given)
    else:
        q_wide = recomputed(lambda pooled: queries.append_by_products(pooled, *given), pooled)
    return _attend_widened(q_wide, k, v, code, scale), q_wide[..., :channels]


def attend_fused(
    q: Tensor, k: Tensor, v: Tensor, tables: Tables, *, q_grid: Size3, k_grid: Size3, class_token: bool
) -> Tensor:
    """The same numbers from one `scaled_dot_product_attention`; shapes as in `attend`.

    The biases of a query are appended to it and a one-hot position code to each key, so that the plain inner product is
    the biased logit. Both end in zeros up to a multiple of _WIDTH_STEP, and values are widened with zeros, because the
    fused kernels want one width for q, k and v.
    """
    scale = q.shape[-1] ** -0.5
    if all(table is None for table in tables):
        return F.scaled_dot_product_attention(q, k, v, scale=scale)
    axes = (tables[0] is not None, tables[1] is not None, tables[2] is not None)
    columns = sum(size for size, used in zip(k_grid, axes, strict=True) if used)
    zeros = -(q.shape[-1] + columns) % _WIDTH_STEP
    code = key_code(k_grid, axes, class_token, zeros, k.device, k.dtype)

    def append_columns(q: Tensor) -> Tensor:
        _, q_on_grid = split_class_token(q, class_token)
        # The kernel scales the whole inner product; the bias must come out of that unscaled.
        bias = torch.cat(axis_biases(q_on_grid, tables, q_grid, k_grid, factor=1 / scale), dim=-1)
        return torch.cat([q, F.pad(bias, (0, zeros, int(class_token), 0))], dim=-1)

    return _attend_widened(recomputed(append_columns, q), k, v, code, scale)


def _attend_widened(q: Tensor, k: Tensor, v: Tensor, code: Tensor, scale: float) -> Tensor:
    """Attention of queries with their biases beside them; k and v (B, N, K, D) are still to be widened."""
    k = torch.cat([k, code.expand(*k.shape[:2], *code.shape)], dim=-1)
    padded_v = F.pad(v, (0, code.shape[-1]))
    with _backends(q):
        return F.scaled_dot_product_attention(q, k, padded_v, scale=scale)[..., : v.shape[-1]]


def _backends(q: Tensor) -> AbstractContextManager:
    """The context that leaves PyTorch the kernels to choose from that may be taken for queries (.., C)."""
    return sdpa_kernel(_ALL_BUT_CUDNN) if choice.keeps_cudnn_from(q.shape[-1], q.device) else nullcontext()


def attend_exported(
    q: Tensor, k: Tensor, v: Tensor, tables: Tables, *, q_grid: Size3, k_grid: Size3, class_token: bool
) -> Tensor:
    """The same numbers from two matrix products and a softmax, which every runtime has; shapes as in `attend`.

    The biases are part of the inner product, as in `attend_fused`. Nothing is widened to please a kernel: in ONNX Runtime
    zeros cost as much as other numbers. The scale is multiplied into the keys, which are the fewest.
    """
    k = k * q.shape[-1] ** -0.5
    if any(table is not None for table in tables):
        axes = (tables[0] is not None, tables[1] is not None, tables[2] is not None)
        code = key_code(k_grid, axes, class_token, 0, k.device, k.dtype)
        _, q_on_grid = split_class_token(q, class_token)
        bias = torch.cat(_biases_by_products(q_on_grid, tables, q_grid, k_grid), dim=-1)
        q = torch.cat([q, F.pad(bias, (0, 0, int(class_token), 0))], dim=-1)
        k = torch.cat([k, code.expand(*k.shape[:2], *code.shape)], dim=-1)
    return attend_in_parts(q, k, v)


def _biases_by_products(q: Tensor, tables: Tables, q_grid: Size3, k_grid: Size3) -> list[Tensor]:
    """As `axis_biases`, by matrix products that leave the queries where they lie but for one axis.

    An einsum becomes a copy of all queries for each axis in ONNX Runtime.
    """
    grid, biases = q.unflatten(2, q_grid), []
    for axis, table in enumerate(tables):
        if table is None:
            continue
        rows = axis_rows(table, q_grid[axis], k_grid[axis]).to(q.dtype).transpose(1, 2)  # (q_axis, D, k_axis)
        if axis == 0:
            biases.append((grid.flatten(3, 4) @ rows).flatten(2, 3))
        elif axis == 1:
            biases.append((grid @ rows).flatten(2, 4))
        else:
            biases.append((grid.transpose(3, 4) @ rows).transpose(3, 4).flatten(2, 4))
    return biases


@cached_tensor
def key_code(
    k_grid: Size3,
    axes: tuple[bool, bool, bool],
    class_token: bool,
    zeros: int,
    device: torch.device,
    dtype: torch.dtype,
) -> Tensor:
    """One-hot code of every key's position along each axis in use, and `zeros` columns of zeros behind it.

    ([1 +] K, sum of k_axis + zeros); the row of a class token is zero.
    With it the bias becomes part of the inner product: [q, a_t, a_h, a_w] . [k, code] = q . k + a_t + a_h + a_w.
    """
    codes = []
    for axis, size in enumerate(k_grid):
        if axes[axis]:
            shape = [1, 1, 1, size]
            shape[axis] = size
            codes.append(torch.eye(size, device=device, dtype=dtype).view(shape).expand(*k_grid, size).flatten(0, 2))
    return F.pad(torch.cat(codes, dim=1), (0, zeros, int(class_token), 0))
