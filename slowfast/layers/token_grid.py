"""A sequence of tokens that lies on a (T, H, W) grid, with or without a class token in front of it."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

Size3 = tuple[int, int, int]


def size3(numbers: Iterable[int]) -> Size3:
    """Three numbers as what they are: a size, a stride or a kernel along (T, H, W)."""
    t, h, w = numbers
    return t, h, w


def split_class_token(x: Tensor, has_class_token: bool, *, dim: int = -2) -> tuple[Tensor | None, Tensor]:
    """(.., 1 + N, ..) along `dim` -> (.., 1, ..) and (.., N, ..); the first is None when there is no class token."""
    if not has_class_token:
        return None, x
    first, rest = x.split([1, x.shape[dim] - 1], dim=dim)  # two slices would each fill a gradient of x with zeros
    return first, rest


def volume(size: Size3) -> int:
    """Number of positions of a (T, H, W) grid."""
    return size[0] * size[1] * size[2]


def pool_tokens(x: Tensor, grid: Size3, pool: Callable[[Tensor], Tensor], class_token: bool) -> tuple[Tensor, Size3]:
    """Pool a sequence on its grid; the class token passes by. Tokens stay channels last, so nothing is transposed.

    x (B, [1 +] THW, C), pool (B, T, H, W, C) -> (B, T', H', W', C): (B, [1 +] T'H'W', C) and (T', H', W').
    """
    first, rest = split_class_token(x, class_token)
    pooled = pool(rest.unflatten(1, grid))
    grid = size3(pooled.shape[1:4])
    pooled = pooled.flatten(1, 3)
    return (pooled if first is None else torch.cat([first, pooled], dim=1)), grid
