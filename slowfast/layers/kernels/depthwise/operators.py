"""The depthwise convolution as one operator that a compiler does not look into: our Triton kernels on a GPU.

Layout as in `convolution`: x (B, T, H, W, C), weight (G, D, t, h, w), both of one type; results are contiguous.
`torch.compile` sees an operator with known shapes, so there is no graph break. When it runs, kernels that were not yet
compared with float64 are (`check`).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from slowfast.layers.kernels.depthwise.check import TRITON


@torch.library.custom_op(
    "slowfast::depthwise_conv", mutates_args=(), schema="(Tensor x, Tensor weight, int[] stride) -> Tensor"
)
def depthwise_conv_op(x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    """(B, T, H, W, C) -> (B, T', H', W', C)."""
    return TRITON.run("forward", x, weight, tuple(stride))


@torch.library.custom_op(
    "slowfast::depthwise_conv_input_gradient",
    mutates_args=(),
    schema="(Tensor grad, Tensor x, Tensor weight, int[] stride) -> Tensor",
)
def _input_gradient_op(grad: Tensor, x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    return TRITON.run("input_gradient", grad, x, weight, tuple(stride))


@torch.library.custom_op(
    "slowfast::depthwise_conv_weight_gradient",
    mutates_args=(),
    schema="(Tensor grad, Tensor x, Tensor weight, int[] stride) -> Tensor",
)
def _weight_gradient_op(grad: Tensor, x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    return TRITON.run("weight_gradient", grad, x, weight, tuple(stride))


@depthwise_conv_op.register_fake
def _(x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    axes = zip(x.shape[1:4], weight.shape[2:], stride, strict=True)
    grid = [(size + 2 * (kernel // 2) - kernel) // step + 1 for size, kernel, step in axes]
    return x.new_empty(x.shape[0], *grid, x.shape[-1])


@_input_gradient_op.register_fake
def _(grad: Tensor, x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    return grad.new_empty(x.shape)


@_weight_gradient_op.register_fake
def _(grad: Tensor, x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    return weight.new_empty(weight.shape)


def _keep(ctx, inputs: tuple, output: Tensor) -> None:
    x, weight, ctx.stride = inputs
    ctx.save_for_backward(x, weight)


def _backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    x, weight = ctx.saved_tensors
    needs_x, needs_weight, _ = ctx.needs_input_grad
    return (
        _input_gradient_op(grad, x, weight, ctx.stride) if needs_x else None,
        _weight_gradient_op(grad, x, weight, ctx.stride) if needs_weight else None,
        None,
    )


depthwise_conv_op.register_autograd(_backward, setup_context=_keep)
