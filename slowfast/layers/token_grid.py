"""A sequence of tokens that lies on a (T, H, W) grid, with or without a class token in front of it."""

from torch import Tensor

Size3 = tuple[int, int, int]


def split_class_token(x: Tensor, has_class_token: bool, *, dim: int = -2) -> tuple[Tensor | None, Tensor]:
    """(.., 1 + N, ..) along `dim` -> (.., 1, ..) and (.., N, ..); the first is None when there is no class token."""
    if not has_class_token:
        return None, x
    first, rest = x.split([1, x.shape[dim] - 1], dim=dim)  # two slices would each fill a gradient of x with zeros
    return first, rest


def volume(size: Size3) -> int:
    """Number of positions of a (T, H, W) grid."""
    return size[0] * size[1] * size[2]
