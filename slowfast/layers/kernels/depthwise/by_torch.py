"""The depthwise convolution of a channels-last token grid and its two gradients by PyTorch's kernels, each by itself.

Layout as in `convolution`: x (B, T, H, W, C), weight (G, D, t, h, w); results are contiguous. layout: how x lies in memory
while it is convolved; a kernel may be faster in one of them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from slowfast.layers.token_grid import Size3

LAYOUTS = {"channels last": torch.channels_last_3d, "channels first": torch.contiguous_format}
_LAYOUT = torch.channels_last_3d  # in which x comes: nothing is copied


def of_channel(weight: Tensor, channels: int) -> Tensor:
    """(G, D, t, h, w) -> (C, 1, t, h, w), the kernel of each of C channels.

    They are G groups (keys and values) of heads of D channels, and the heads of a group share its D kernels: channel
    (g heads + n) D + d has kernel (g, d). (C, 1, t, h, w) stays as it is: C groups of one head of one channel.
    """
    groups, head = weight.shape[:2]
    heads = channels // (groups * head)
    if heads == 1:
        return weight.reshape(channels, 1, *weight.shape[2:])
    return weight[:, None].expand(-1, heads, -1, -1, -1, -1).reshape(channels, 1, *weight.shape[2:])


def forward(x: Tensor, weight: Tensor, stride: Size3, layout: torch.memory_format = _LAYOUT) -> Tensor:
    """(B, T, H, W, C), (G, D, t, h, w) -> (B, T', H', W', C), with a padding of half a kernel."""
    x, weight = _in_layout(x, layout), of_channel(weight, x.shape[-1])
    return _channels_last(F.conv3d(x, weight, stride=stride, padding=_padding(weight), groups=x.shape[1]))


def input_gradient(
    grad: Tensor, x: Tensor, weight: Tensor, stride: Size3, layout: torch.memory_format = _LAYOUT
) -> Tensor:
    """grad (B, T', H', W', C) of the result -> (B, T, H, W, C), the gradient of x."""
    return _channels_last(_gradient(layout, True, grad, x, of_channel(weight, x.shape[-1]), stride))


def weight_gradient(
    grad: Tensor, x: Tensor, weight: Tensor, stride: Size3, layout: torch.memory_format = _LAYOUT
) -> Tensor:
    """grad (B, T', H', W', C) of the result -> (G, D, t, h, w), the gradient of the weight."""
    groups, head = weight.shape[:2]
    of_channels = _gradient(layout, False, grad, x, of_channel(weight, x.shape[-1]), stride)
    return of_channels.reshape(groups, -1, head, *weight.shape[2:]).sum(1).contiguous()


def _gradient(
    layout: torch.memory_format, wants_x: bool, grad: Tensor, x: Tensor, weight: Tensor, stride: Size3
) -> Tensor:
    gradients = torch.ops.aten.convolution_backward(
        _in_layout(grad, layout),
        _in_layout(x, layout),
        weight,
        None,
        stride,
        _padding(weight),
        (1, 1, 1),
        False,
        (0, 0, 0),
        x.shape[-1],
        (wants_x, not wants_x, False),
    )
    return gradients[0] if wants_x else gradients[1]


def _in_layout(x: Tensor, layout: torch.memory_format) -> Tensor:
    """(B, T, H, W, C) -> (B, C, T, H, W), laid out in memory as `layout` says."""
    return x.permute(0, 4, 1, 2, 3).contiguous(memory_format=layout)


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 4, 1).contiguous()


def _padding(weight: Tensor) -> list[int]:
    return [size // 2 for size in weight.shape[2:]]
