"""The depthwise convolution as one operator that a compiler does not look into: our Triton kernels on a GPU.

Layout as in `convolution`: x (B, T, H, W, C), weight (G, D, t, h, w), both of one type; results are contiguous. The same of a
sequence, `depthwise_conv_of_tokens`, whose class token passes by: the kernels read and write the grid where it lies in the
sequence. Of a grid alone a compiler has to lay a class token's row in front of each result, which is a copy of all of it.
`torch.compile` sees an operator with known shapes, so there is no graph break. When it runs, kernels that were not yet
compared with float64 are (`check`).
"""

import math
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
    return x.new_empty(x.shape[0], *_pooled(x.shape[1:4], weight, stride), x.shape[-1])


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


# ------------------------------------------------------------------------------------- of a sequence on its grid


@torch.library.custom_op(
    "slowfast::depthwise_conv_of_tokens",
    mutates_args=(),
    schema="(Tensor x, Tensor weight, int[] grid, int[] stride) -> Tensor",
)
def depthwise_conv_of_tokens(x: Tensor, weight: Tensor, grid: Sequence[int], stride: Sequence[int]) -> Tensor:
    """x (B, [1 +] THW, C) on the grid (T, H, W) -> (B, [1 +] T'H'W', C); the class token as it is."""
    out_grid = _pooled(grid, weight, stride)
    begin = _before(x, grid)
    out = x.new_empty(x.shape[0], begin + math.prod(out_grid), x.shape[-1])
    out[:, :begin] = x[:, :begin]
    TRITON.run("forward", _on_grid(x, grid), weight, tuple(stride), out=_on_grid(out, out_grid))
    return out


@torch.library.custom_op(
    "slowfast::depthwise_conv_of_tokens_input_gradient",
    mutates_args=(),
    schema="(Tensor grad, Tensor x, Tensor weight, int[] grid, int[] stride) -> Tensor",
)
def _tokens_gradient_op(grad: Tensor, x: Tensor, weight: Tensor, grid: Sequence[int], stride: Sequence[int]) -> Tensor:
    out, begin = grad.new_empty(x.shape), _before(x, grid)
    out[:, :begin] = grad[:, :begin]
    slope = _on_grid(grad, _pooled(grid, weight, stride))
    TRITON.run("input_gradient", slope, _on_grid(x, grid), weight, tuple(stride), out=_on_grid(out, grid))
    return out


def _pooled(grid: Sequence[int], weight: Tensor, stride: Sequence[int]) -> list[int]:
    axes = zip(grid, weight.shape[2:], stride, strict=True)
    return [(size + 2 * (kernel // 2) - kernel) // step + 1 for size, kernel, step in axes]


def _before(x: Tensor, grid: Sequence[int]) -> int:
    """Tokens in front of those on the grid."""
    return x.shape[1] - math.prod(grid)


def _on_grid(x: Tensor, grid: Sequence[int]) -> Tensor:
    return x[:, _before(x, grid) :].unflatten(1, tuple(grid))


@depthwise_conv_of_tokens.register_fake
def _(x: Tensor, weight: Tensor, grid: Sequence[int], stride: Sequence[int]) -> Tensor:
    return x.new_empty(x.shape[0], _before(x, grid) + math.prod(_pooled(grid, weight, stride)), x.shape[-1])


@_tokens_gradient_op.register_fake
def _(grad: Tensor, x: Tensor, weight: Tensor, grid: Sequence[int], stride: Sequence[int]) -> Tensor:
    return grad.new_empty(x.shape)


def _keep_tokens(ctx, inputs: tuple, output: Tensor) -> None:
    x, weight, ctx.grid, ctx.stride = inputs
    ctx.save_for_backward(x, weight)


def _tokens_backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
    x, weight = ctx.saved_tensors
    needs_x, needs_weight, *_ = ctx.needs_input_grad
    of_weight = None
    if needs_weight:
        slope = _on_grid(grad, _pooled(ctx.grid, weight, ctx.stride))
        of_weight = _weight_gradient_op(slope, _on_grid(x, ctx.grid), weight, ctx.stride)
    return _tokens_gradient_op(grad, x, weight, ctx.grid, ctx.stride) if needs_x else None, of_weight, None, None


depthwise_conv_of_tokens.register_autograd(_tokens_backward, setup_context=_keep_tokens)
