"""Decomposed relative positions (Li et al. 2022, MViTv2, equations 3 and 4).

The bias of query q at key (t, h, w) is a sum of three dot products of q with table rows: R_t[..], R_h[..] and R_w[..].
A table of an axis has 2 * max(q, k) - 1 rows, one for each distance; it is resized when the grid changes.

Legend: B clips, N heads, Q query positions, K key positions, D channels of a head.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from slowfast.layers.tensor_cache import cached_tensor
from slowfast.layers.token_grid import Size3


def resize_table(table: Tensor, rows: int) -> Tensor:
    """(R, D) -> (rows, D), linear interpolation between rows; the same tensor when the size already fits."""
    if table.shape[0] == rows:
        return table
    return F.interpolate(table.T[None], size=rows, mode="linear")[0].T


@cached_tensor
def distance_index(q_size: int, k_size: int, device: torch.device) -> Tensor:
    """(q_size, k_size) int64: the table row of each (query, key) distance along one axis.

    The shorter of the two is spread over the longer one, so that pooled keys are compared at their own positions.
    """
    q_ratio, k_ratio = max(k_size / q_size, 1.0), max(q_size / k_size, 1.0)
    q_at, k_at = (_rounded_product(size, ratio, device) for size, ratio in ((q_size, q_ratio), (k_size, k_ratio)))
    return (q_at[:, None] - k_at[None, :] + (k_size - 1) * k_ratio).long()


def _rounded_product(size: int, ratio: float, device: torch.device) -> Tensor:
    """(size,) float32: 0, 1, .. times the ratio in float32, each product rounded as it is in PySlowFast.

    The product is exact in double precision and the conversion rounds it. A compiler for a GPU would join a float32
    product with the difference that follows, and round once for both: 39 queries and 20 keys (MViTv2-L at 312 pixels)
    are one of many pairs where that moves a distance to the next row.
    """
    return (
        torch.arange(size, device=device).double() * torch.full((), ratio, dtype=torch.float32, device=device).double()
    ).float()


def axis_rows(table: Tensor, q_size: int, k_size: int) -> Tensor:
    """(R, D) table -> (q_size, k_size, D): the row of every (query, key) pair along one axis."""
    return resize_table(table, 2 * max(q_size, k_size) - 1)[distance_index(q_size, k_size, table.device)]


def axis_biases(
    q: Tensor, tables: tuple[Tensor | None, ...], q_grid: Size3, k_grid: Size3, *, factor: float = 1.0
) -> list[Tensor]:
    """The bias of each query along each axis that has a table, times `factor`.

    q (B, N, Q, D) without class token, tables for (t, h, w) or None -> one (B, N, Q, k_axis) tensor per table.
    """
    grid = q.unflatten(2, q_grid)
    equations = ("bnthwd,tkd->bnthwk", "bnthwd,hkd->bnthwk", "bnthwd,wkd->bnthwk")
    return [
        torch.einsum(equation, grid, (axis_rows(table, q_size, k_size) * factor).to(q.dtype)).flatten(2, 4)
        for equation, table, q_size, k_size in zip(equations, tables, q_grid, k_grid, strict=True)
        if table is not None
    ]
