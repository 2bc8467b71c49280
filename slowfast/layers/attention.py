"""Attention with decomposed relative positions: one fused path, and the plain path that defines it.

Legend: B clips, N heads, Q queries, K keys, D channels of a head. Sequences may start with a class token, which has no
position: its row and its column of the bias are zero.
"""

from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from slowfast.layers.kernels.recompute import recomputed
from slowfast.layers.rel_pos import axis_biases, key_code
from slowfast.layers.token_grid import Size3, split_class_token

Tables = tuple[Tensor | None, Tensor | None, Tensor | None]
_use_plain = False
# The fused kernels of a GPU take widths that are multiples of this: cuDNN's and the float32 one no others, and PyTorch
# copies q, k and v to widen them for FlashAttention. Without any, PyTorch makes the (Q, K) matrix.
_WIDTH_STEP = 8


@contextmanager
def plain_attention():
    """Compute attention the plain way inside the block: to count its operations, or as the reference in a test.

    Plain are a (Q, K) matrix that is made in full, and keys and values of all tokens, also of those that no window sees.
    """
    global _use_plain
    before, _use_plain = _use_plain, True
    try:
        yield
    finally:
        _use_plain = before


def is_plain() -> bool:
    """True inside `plain_attention()`."""
    return _use_plain


def attend(
    q: Tensor, k: Tensor, v: Tensor, tables: Tables, *, q_grid: Size3, k_grid: Size3, class_token: bool
) -> Tensor:
    """softmax(q k^T / sqrt(D) + bias) v.

    q (B, N, Q, D), k and v (B, N, K, D); tables: positions along (t, h, w), each (R, D) or None -> (B, N, Q, D).
    """
    function = attend_plain if _use_plain else attend_fused
    return function(q, k, v, tables, q_grid=q_grid, k_grid=k_grid, class_token=class_token)


def attend_plain(
    q: Tensor, k: Tensor, v: Tensor, tables: Tables, *, q_grid: Size3, k_grid: Size3, class_token: bool
) -> Tensor:
    """The definition: the whole (Q, K) matrix is made and the bias added to it (MViTv2, equation 3)."""
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    if any(table is not None for table in tables):
        _, q_on_grid = split_class_token(q, class_token)
        bias = spread_biases(axis_biases(q_on_grid, tables, q_grid, k_grid), tables, k_grid)
        logits = logits + F.pad(bias, (1, 0, 1, 0)) if class_token else logits + bias
    return logits.softmax(dim=-1) @ v


def spread_biases(biases: list[Tensor], tables: Tables, k_grid: Size3) -> Tensor:
    """Sum of the biases along each axis with a table, each (B, N, Q, k_axis) -> (B, N, Q, K), keys in raster order."""
    axes = [axis for axis, table in enumerate(tables) if table is not None]
    total = 0
    for axis, bias in zip(axes, biases, strict=True):
        shape = [1, 1, 1]
        shape[axis] = k_grid[axis]
        total = total + bias.unflatten(-1, shape).expand(*bias.shape[:-1], *k_grid)
    return total.flatten(-3)


def attend_fused(
    q: Tensor, k: Tensor, v: Tensor, tables: Tables, *, q_grid: Size3, k_grid: Size3, class_token: bool
) -> Tensor:
    """The same numbers from one `scaled_dot_product_attention`, without a (Q, K) matrix of our own.

    The biases of a query are appended to it and a one-hot position code to each key, so that the plain inner product is
    the biased logit. Both end in zeros up to a multiple of _WIDTH_STEP, and values are widened with zeros, because the
    fused kernels want one width for q, k and v.
    """
    scale = q.shape[-1] ** -0.5
    if all(table is None for table in tables):
        return F.scaled_dot_product_attention(q, k, v, scale=scale)
    axes = tuple(table is not None for table in tables)
    columns = sum(size for size, used in zip(k_grid, axes, strict=True) if used)
    zeros = -(q.shape[-1] + columns) % _WIDTH_STEP
    code = key_code(k_grid, axes, class_token, zeros, k.device, k.dtype)

    def append_biases(q: Tensor) -> Tensor:
        _, q_on_grid = split_class_token(q, class_token)
        # The kernel scales the whole inner product; the bias must come out of that unscaled.
        bias = torch.cat(axis_biases(q_on_grid, tables, q_grid, k_grid, factor=1 / scale), dim=-1)
        return torch.cat([q, F.pad(bias, (0, zeros, int(class_token), 0))], dim=-1)

    q = recomputed(append_biases, q)
    k = torch.cat([k, code.expand(*k.shape[:2], *code.shape)], dim=-1)
    padded_v = F.pad(v, (0, code.shape[-1]))
    return F.scaled_dot_product_attention(q, k, padded_v, scale=scale)[..., : v.shape[-1]]
