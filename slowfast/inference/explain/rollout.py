"""Attention rollout (Abnar and Zuidema 2020, arXiv 2005.00928) through blocks that pool their queries, keys and values.

A block mixes tokens in two ways: attention, and the skip beside it. Rollout takes half of each and multiplies the blocks:
rows that sum to 1 stay so. Two things are ours, as the paper has no pooling:

- A pooled key stands for the tokens in its window. What is taken of it is given to them by the mean size of the weights
  that the pooling of the values has for each.
- Where a block pools its queries, its skip is pooled by a maximum. No one knows beforehand which token that is, so its
  half is given to the tokens of the window in equal parts. Elsewhere that half is the identity.

Residual pooling (MViTv2, equation 5), which adds the pooled query to what was attended, counts as part of the skip.

Legend: M rows asked for, Q queries, K keys, N tokens that the block is given; sequences may start with a class token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from slowfast.layers.token_grid import Size3, size3, split_class_token

_NEVER_NOTHING = 1e-12  # a window whose weights are all 0 is shared in equal parts


@dataclass(frozen=True)
class Pooling:
    """How a token after a pooling is made of those before. kernel: (t, h, w) share of each place of a window, any sum"""

    kernel: Tensor
    stride: Size3

    def spread(self, rows: Tensor, grid: Size3, pooled_grid: Size3) -> Tensor:
        """rows (M, T'H'W') of the pooled tokens -> (M, THW) of those on `grid`; sums stay, borders have smaller windows."""
        kernel = self.kernel.to(rows)[None, None] + _NEVER_NOTHING
        padding = [size // 2 for size in kernel.shape[2:]]
        total = F.conv3d(rows.new_ones(1, 1, *grid), kernel, stride=self.stride, padding=padding)
        shares = rows.unflatten(1, (1, *pooled_grid)) / total
        reach = [
            (q - 1) * s + k - 2 * p
            for q, s, k, p in zip(pooled_grid, self.stride, kernel.shape[2:], padding, strict=True)
        ]
        missing = [size - r for size, r in zip(grid, reach, strict=True)]
        spread = F.conv_transpose3d(shares, kernel, stride=self.stride, padding=padding, output_padding=missing)
        return spread.flatten(1)


@dataclass(frozen=True)
class BlockAttention:
    """What the attention of one block did with one clip.

    weights: ([1 +] Q, [1 +] K) mean over heads; rows sum to 1
    grid, q_grid, k_grid: of the tokens it is given, of queries (which are the tokens it leaves), of keys
    keys:    how keys and values are pooled, None where they are not; skip: the same of the tokens that pass by
    """

    weights: Tensor
    grid: Size3
    q_grid: Size3
    k_grid: Size3
    class_token: bool
    keys: Pooling | None
    skip: Pooling | None

    def back(self, rows: Tensor) -> Tensor:
        """rows (M, [1 +] Q): shares of the tokens that the block leaves -> (M, [1 +] N): of those it was given."""
        attended = self._spread(rows @ self.weights, self.keys, self.k_grid)
        return 0.5 * attended + 0.5 * self._spread(rows, self.skip, self.q_grid)

    def _spread(self, rows: Tensor, pooling: Pooling | None, pooled_grid: Size3) -> Tensor:
        if pooling is None:
            return rows
        first, rest = split_class_token(rows, self.class_token, dim=1)
        rest = pooling.spread(rest, self.grid, pooled_grid)
        return rest if first is None else torch.cat([first, rest], dim=1)


def rollout(blocks: Sequence[BlockAttention], rows: Tensor) -> Tensor:
    """Shares of the tokens after the last block -> of the tokens on the grid before the first, as (M, T, H, W).

    blocks: in the order of the network; rows (M, Q) without class token, each with the sum 1
    What goes to a class token is left out, and the rest scaled to the sum 1 again.
    """
    if not blocks:
        raise ValueError("a rollout needs at least one block")
    has_class = blocks[-1].class_token
    rows = F.pad(rows, (int(has_class), 0))
    for block in reversed(blocks):
        rows = block.back(rows)
    rows = split_class_token(rows, has_class, dim=1)[1]
    return (rows / rows.sum(dim=1, keepdim=True)).unflatten(1, size3(blocks[0].grid))
