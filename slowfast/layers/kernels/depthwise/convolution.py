"""Depthwise convolution of a channels-last token grid: PyTorch's own, or a way that `choice` takes.

Layout: x (B, T, H, W, C) contiguous, weight (G, D, t, h, w), which the heads of a group share (`by_torch.of_channel`; a
kernel for each channel is (C, 1, t, h, w)); "same" padding of half a kernel.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from slowfast.layers.kernels import choice
from slowfast.layers.kernels.depthwise import taps
from slowfast.layers.kernels.depthwise.by_torch import of_channel
from slowfast.layers.kernels.depthwise.operators import depthwise_conv_of_tokens, depthwise_conv_op
from slowfast.layers.kernels.exported import pool_channels, poolable
from slowfast.layers.precision import full_precision
from slowfast.layers.token_grid import Size3, pool_tokens, size3, volume

# oneDNN adds up a weight's gradient position after position, and long sums lose digits: 1e-5 of the largest value over
# 32768 positions, a quarter of that in parts of this many.
_MOST_POSITIONS = 2**13


def depthwise_conv(x: Tensor, weight: Tensor, stride: Size3) -> Tensor:
    """(B, T, H, W, C) -> (B, T', H', W', C): every channel convolved with its kernel, weight (G, D, t, h, w)."""
    if choice.is_for_export() and poolable(weight, stride):
        return pool_channels(x.permute(0, 4, 1, 2, 3), of_channel(weight, x.shape[-1]), stride)
    if choice.has_depthwise_operator(x):
        dtype = _operator_type(x)
        return depthwise_conv_op(x.to(dtype), weight.to(dtype), stride)
    weight = of_channel(weight, x.shape[-1])
    if choice.has_own_depthwise_gradient(x, weight, stride):
        return _DepthwiseConvCpu.apply(x, weight, stride)
    return _convolve(x, weight, stride)


def depthwise_conv_of_sequence(x: Tensor, grid: Size3, weight: Tensor, stride: Size3) -> tuple[Tensor, Size3]:
    """`depthwise_conv` of x (B, [1 +] THW, C), whose class token passes by -> (B, [1 +] T'H'W', C) and (T', H', W')."""
    class_token = x.shape[1] > volume(grid)
    if not (class_token and choice.has_depthwise_operator(x)):
        return pool_tokens(x, grid, lambda tokens: depthwise_conv(tokens, weight, stride), class_token)
    dtype = _operator_type(x)
    axes = zip(grid, weight.shape[2:], stride, strict=True)
    pooled = size3((size + 2 * (kernel // 2) - kernel) // step + 1 for size, kernel, step in axes)
    return depthwise_conv_of_tokens(x.to(dtype), weight.to(dtype), grid, stride), pooled


def _operator_type(x: Tensor) -> torch.dtype:
    """What autocast makes of a convolution's operands; it does not know our operators."""
    return torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else x.dtype


def _convolve(x: Tensor, weight: Tensor, stride: Size3) -> Tensor:
    if x.device.type == "cpu" and x.dtype != torch.float64:
        # torch's bfloat16 backward of this convolution is wrong on small grids on the CPU (2.15: 2 x 4 x 4 positions).
        with full_precision(x.device):
            return _convolve_as_it_is(x.float(), weight.float(), stride).to(x.dtype)
    return _convolve_as_it_is(x, weight, stride)


def _convolve_as_it_is(x: Tensor, weight: Tensor, stride: Size3) -> Tensor:
    padding = tuple(size // 2 for size in weight.shape[2:])
    out = F.conv3d(x.permute(0, 4, 1, 2, 3), weight, stride=stride, padding=padding, groups=x.shape[-1])
    return out.permute(0, 2, 3, 4, 1)


class _DepthwiseConvCpu(torch.autograd.Function):
    """The same convolution. Its backward uses kernels that oneDNN has in fast versions, which the 3-D one is not.

    Where windows lie apart, the gradients come tap by tap (`taps`). The gradient of the input at stride 1 is
    the forward convolution with the kernel turned round. All else is a sum of 2-D convolutions, one for each time step of
    the kernel, of frames against gradients shifted in time.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, stride: Size3) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return _convolve(x, weight, stride)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, _ = ctx.needs_input_grad
        if taps.windows_lie_apart(weight, ctx.stride):
            grad_x = taps.input_gradient(x, weight, grad, ctx.stride) if needs_x else None
            return grad_x, taps.weight_gradient(x, weight, grad, ctx.stride) if needs_weight else None, None
        turns_round = max(ctx.stride) == 1
        grad_x = _convolve(grad, weight.flip(2, 3, 4), ctx.stride) if needs_x and turns_round else None
        if (needs_x and not turns_round) or needs_weight:
            frames_x, grad_weight = _frame_gradients(
                x, weight, grad, ctx.stride, needs_x and not turns_round, needs_weight
            )
            grad_x = grad_x if turns_round else frames_x
        else:
            grad_weight = None
        return grad_x, grad_weight, None


def _as_images(x: Tensor) -> Tensor:
    """(B, T, H, W, C) -> (B T, C, H, W), channels last in memory."""
    return x.flatten(0, 1).permute(0, 3, 1, 2)


def _frame_gradients(
    x: Tensor, weight: Tensor, grad: Tensor, stride: Size3, needs_x: bool, needs_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of the input and of the weight, summed over the time steps of the kernel; None where not needed."""
    steps, time = weight.shape[2], x.shape[1]
    padded = F.pad(grad, (0, 0, 0, 0, 0, 0, steps // 2, steps // 2))
    images = _as_images(x)
    grad_x: Tensor | None = None
    grad_weight: list[Tensor] = []
    for step in range(steps):
        start = steps - 1 - step  # x at time t met kernel step `step` in the output at time t + steps // 2 - step
        shifted = _as_images(padded[:, start : start + time])
        part_x, part_weight = _image_gradients(shifted, images, weight[:, :, step], stride[1:], needs_x, needs_weight)
        if part_x is not None:
            grad_x = part_x if grad_x is None else grad_x.add_(part_x)
        if part_weight is not None:
            grad_weight.append(part_weight)
    if grad_x is not None:
        grad_x = grad_x.permute(0, 2, 3, 1).view_as(x)
    return grad_x, torch.stack(grad_weight, dim=2) if needs_weight else None


def _image_gradients(
    grad: Tensor, images: Tensor, weight: Tensor, stride: tuple[int, int], needs_x: bool, needs_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of a 2-D convolution: of its images (M, C, H, W) and of its weight (C, 1, h, w); None where not needed."""
    arguments = (None, stride, [size // 2 for size in weight.shape[2:]], (1, 1), False, (0, 0), images.shape[1])
    at_once = max(1, _MOST_POSITIONS // (grad.shape[2] * grad.shape[3]))
    if needs_x or len(images) <= at_once:
        mask = (needs_x, needs_weight, False)
        return torch.ops.aten.convolution_backward(grad, images, weight, *arguments, mask)[:2]
    parts = [
        torch.ops.aten.convolution_backward(some_grad, some, weight, *arguments, (False, True, False))[1]
        for some_grad, some in zip(grad.split(at_once), images.split(at_once), strict=True)
    ]
    return None, torch.stack(parts).sum(0)
