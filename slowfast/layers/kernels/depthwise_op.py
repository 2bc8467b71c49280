"""The depthwise convolution as one operator that a compiler does not look into: kernels are chosen when it runs.

Layout as in `depthwise`: x (B, T, H, W, C), weight (C, 1, t, h, w), both of one type; results are contiguous. The choice
is made for the convolution and for each of its gradients apart (`fastest`); `torch.compile` sees an operator with known
shapes, so there is no graph break, and a CUDA graph records the kernels that were chosen in the run before it.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from slowfast.layers.kernels.fastest import Fastest
from slowfast.layers.token_grid import Size3


def _in_layout(x: Tensor, layout: torch.memory_format) -> Tensor:
    """(B, T, H, W, C) -> (B, C, T, H, W), laid out in memory as `layout` says."""
    return x.permute(0, 4, 1, 2, 3).contiguous(memory_format=layout)


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 4, 1).contiguous()


def _padding(weight: Tensor) -> list[int]:
    return [size // 2 for size in weight.shape[2:]]


def _forward(layout: torch.memory_format, x: Tensor, weight: Tensor, stride: Size3) -> Tensor:
    x, padding = _in_layout(x, layout), _padding(weight)
    return _channels_last(F.conv3d(x, weight, stride=stride, padding=padding, groups=x.shape[1]))


def _gradient(
    layout: torch.memory_format, wants_x: bool, grad: Tensor, x: Tensor, weight: Tensor, stride: Size3
) -> Tensor:
    """The gradient of x (`wants_x`) or of the weight."""
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


def _input_gradient(layout: torch.memory_format, grad: Tensor, x: Tensor, weight: Tensor, stride: Size3) -> Tensor:
    return _channels_last(_gradient(layout, True, grad, x, weight, stride))


def _weight_gradient(layout: torch.memory_format, grad: Tensor, x: Tensor, weight: Tensor, stride: Size3) -> Tensor:
    return _gradient(layout, False, grad, x, weight, stride).contiguous()


def _triton(name: str) -> Callable[..., Tensor]:
    def run(*args: object) -> Tensor:
        from slowfast.layers.kernels import depthwise_triton

        return getattr(depthwise_triton, name)(*args)

    return run


def _candidates(native: Callable[..., Tensor], name: str) -> dict[str, Callable[..., Tensor]]:
    return {
        "PyTorch, channels last": partial(native, torch.channels_last_3d),
        "PyTorch, channels first": partial(native, torch.contiguous_format),
        "Triton": _triton(name),
    }


FORWARD = Fastest("depthwise convolution", _candidates(_forward, "forward"))
INPUT_GRADIENT = Fastest("its input's gradient", _candidates(_input_gradient, "input_gradient"))
WEIGHT_GRADIENT = Fastest("its weight's gradient", _candidates(_weight_gradient, "weight_gradient"))


@torch.library.custom_op(
    "slowfast::depthwise_conv", mutates_args=(), schema="(Tensor x, Tensor weight, int[] stride) -> Tensor"
)
def depthwise_conv_op(x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    """(B, T, H, W, C) -> (B, T', H', W', C)."""
    return FORWARD(x, weight, tuple(stride))


@torch.library.custom_op(
    "slowfast::depthwise_conv_input_gradient",
    mutates_args=(),
    schema="(Tensor grad, Tensor x, Tensor weight, int[] stride) -> Tensor",
)
def _input_gradient_op(grad: Tensor, x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    return INPUT_GRADIENT(grad, x, weight, tuple(stride))


@torch.library.custom_op(
    "slowfast::depthwise_conv_weight_gradient",
    mutates_args=(),
    schema="(Tensor grad, Tensor x, Tensor weight, int[] stride) -> Tensor",
)
def _weight_gradient_op(grad: Tensor, x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    return WEIGHT_GRADIENT(grad, x, weight, tuple(stride))


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
