"""The tokens that a pooling with gaps between its windows looks at: nobody needs the others.

The first block of MViTv2-S pools keys and values with a kernel of 3 and a stride of 8 in space. Of 64 tokens 9 lie in a
window, so keys and values are projected from those only, laid side by side, and pooled with a stride of 3.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from slowfast.layers.tensor_cache import cached_tensor
from slowfast.layers.token_grid import Size3, size3


def close_windows(grid: Size3, kernel: Size3, stride: Size3) -> tuple[Size3, Size3]:
    """(the grid of the seen tokens, the stride on it): along an axis with gaps the windows then touch.

    A pooling with a padding of half its odd kernel gives the same on both grids. Without gaps both are as they were.
    """
    sizes, steps = [], []
    for size, k, step in zip(grid, kernel, stride, strict=True):
        gaps = k % 2 == 1 and step > k
        sizes.append(_seen_along(size, k, step) if gaps else size)
        steps.append(k if gaps else step)
    return size3(sizes), size3(steps)


def seen_tokens(x: Tensor, grid: Size3, kernel: Size3, stride: Size3, class_token: bool) -> Tensor:
    """x (B, [1 +] THW, C) -> (B, [1 +] T'H'W', C): what the pooling sees, on the grid of `close_windows`."""
    return x.index_select(1, places_seen(grid, kernel, stride, class_token, x.device))


def _seen_along(size: int, kernel: int, stride: int) -> int:
    """How many positions of an axis lie in a window of an odd kernel with a stride above it."""
    last = (size - 1) // stride * stride  # the middle of the last window
    windows = last // stride + 1
    beyond = max(0, last + kernel // 2 - (size - 1))
    return windows * kernel - kernel // 2 - beyond


@cached_tensor
def places_seen(grid: Size3, kernel: Size3, stride: Size3, class_token: bool, device: torch.device) -> Tensor:
    """([1 +] T'H'W',) int64: where the seen tokens are in the sequence."""
    seen_grid, new_stride = close_windows(grid, kernel, stride)
    places = torch.zeros((), dtype=torch.int64, device=device)
    for size, seen, k, step, new_step in zip(grid, seen_grid, kernel, stride, new_stride, strict=True):
        along = torch.arange(seen, device=device)
        if new_step != step:  # counted from the first window's corner, which is half a kernel outside
            along = along + k // 2
            along = along // k * step + along % k - k // 2
        places = places[..., None] * size + along
    return F.pad(places.flatten() + int(class_token), (int(class_token), 0))
