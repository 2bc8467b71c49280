"""Attention with decomposed relative positions as it is defined (MViTv2, section 3.1); `kernels.attend` computes it.

Legend: B clips, N heads, Q queries, K keys, D channels of a head. Sequences may start with a class token, which has no
position: its row and its column of the bias are zero.
"""

import torch.nn.functional as F
from torch import Tensor

from slowfast.layers.rel_pos import axis_biases
from slowfast.layers.token_grid import Size3, split_class_token

Tables = tuple[Tensor | None, Tensor | None, Tensor | None]


def attend_plain(
    q: Tensor, k: Tensor, v: Tensor, tables: Tables, *, q_grid: Size3, k_grid: Size3, class_token: bool
) -> Tensor:
    """softmax(q k^T / sqrt(D) + bias) v: the whole (Q, K) matrix is made and the bias added to it (equation 3).

    q (B, N, Q, D), k and v (B, N, K, D); tables: positions along (t, h, w), each (R, D) or None -> (B, N, Q, D).
    """
    return attention_weights(q, k, tables, q_grid=q_grid, k_grid=k_grid, class_token=class_token) @ v


def attention_weights(
    q: Tensor, k: Tensor, tables: Tables, *, q_grid: Size3, k_grid: Size3, class_token: bool
) -> Tensor:
    """softmax(q k^T / sqrt(D) + bias) -> (B, N, Q, K): how much each query takes of each key's value; rows sum to 1.

    q (B, N, Q, D), k (B, N, K, D), tables as in `attend_plain`.
    """
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    if any(table is not None for table in tables):
        _, q_on_grid = split_class_token(q, class_token)
        bias = spread_biases(axis_biases(q_on_grid, tables, q_grid, k_grid), tables, k_grid)
        logits = logits + F.pad(bias, (1, 0, 1, 0)) if class_token else logits + bias
    return logits.softmax(dim=-1)


def spread_biases(biases: list[Tensor], tables: Tables, k_grid: Size3) -> Tensor:
    """Sum of the biases along each axis with a table, each (B, N, Q, k_axis) -> (B, N, Q, K), keys in raster order."""
    axes = [axis for axis, table in enumerate(tables) if table is not None]
    total = biases[0].new_zeros(())
    for axis, bias in zip(axes, biases, strict=True):
        shape = [1, 1, 1]
        shape[axis] = k_grid[axis]
        total = total + bias.unflatten(-1, shape).expand(*bias.shape[:-1], *k_grid)
    return total.flatten(-3)
