"""Gradients of a depthwise convolution whose windows lie apart: a stride in space of at least the kernel, 1 in time.

Then most of the input is in no window. A tap of the kernel meets one position of each window: what meets it is a
strided part of the input that lies in no other tap's part, and the gradients need those parts only.

Layout as in `convolution`: x (B, T, H, W, C), weight (C, 1, t, h, w) of odd sizes, grad of the result (B, T, H', W', C).
"""

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from slowfast.layers.token_grid import Size3

Place = tuple[slice, slice]
Index = tuple[slice, ...]
_ALL = slice(None)


def windows_lie_apart(weight: Tensor, stride: Size3) -> bool:
    return stride[0] == 1 and all(step >= size for step, size in zip(stride[1:], weight.shape[3:], strict=True))


def input_gradient(x: Tensor, weight: Tensor, grad: Tensor, stride: Size3) -> Tensor:
    """(B, T, H, W, C), the gradient of x; of x only the shape is used."""
    out = grad.new_zeros(x.shape)
    taps = weight[:, 0].permute(1, 2, 3, 0).contiguous()
    for at, outputs, inputs in _places_in_space(x, weight, grad, stride):
        slopes = grad[outputs]
        total = torch.zeros_like(slopes)
        for step, (then, now) in enumerate(_places_in_time(x, weight)):
            total[:, now].addcmul_(slopes[:, then], taps[(step, *at)])
        out[inputs] = total
    return out


def weight_gradient(x: Tensor, weight: Tensor, grad: Tensor, stride: Size3) -> Tensor:
    """(C, 1, t, h, w), the gradient of the weight; of the weight only the shape is used."""
    taps = x.new_empty(*weight.shape[2:], x.shape[-1])
    for at, outputs, inputs in _places_in_space(x, weight, grad, stride):
        values, slopes = x[inputs], grad[outputs]
        for step, (then, now) in enumerate(_places_in_time(x, weight)):
            taps[(step, *at)] = (values[:, now] * slopes[:, then]).sum((0, 1, 2, 3))
    return taps.permute(3, 0, 1, 2)[:, None].contiguous()


def _places_in_space(
    x: Tensor, weight: Tensor, grad: Tensor, stride: Size3
) -> Iterator[tuple[tuple[int, int], Index, Index]]:
    """For each tap (h, w): the index of the outputs that have it inside the input, and of the inputs that it meets."""
    _, _, height, width = weight.shape[1:]
    rows = [_meeting(tap, height, stride[1], x.shape[2], grad.shape[2]) for tap in range(height)]
    columns = [_meeting(tap, width, stride[2], x.shape[3], grad.shape[3]) for tap in range(width)]
    for (h, row), (w, column) in product(enumerate(rows), enumerate(columns)):
        yield (h, w), (_ALL, _ALL, row[0], column[0]), (_ALL, _ALL, row[1], column[1])


def _places_in_time(x: Tensor, weight: Tensor) -> list[Place]:
    """For each time step of the kernel: the outputs, and the inputs that it meets."""
    return [_meeting(tap, weight.shape[2], 1, x.shape[1], x.shape[1]) for tap in range(weight.shape[2])]


def _meeting(tap: int, kernel: int, stride: int, size: int, outputs: int) -> Place:
    """Along one axis: output o meets input o * stride + tap - kernel // 2; both as slices, where that input exists."""
    offset = tap - kernel // 2
    first, last = max(0, -(offset // stride)), min(outputs, (size - 1 - offset) // stride + 1)
    if last <= first:
        return slice(0), slice(0)
    start = first * stride + offset
    return slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)
