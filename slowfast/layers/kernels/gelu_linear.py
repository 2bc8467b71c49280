"""GELU and the linear layer behind it, with nothing but GELU's input kept for the gradients."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from slowfast.layers.kernels.choice import may_choose_kernels
from slowfast.layers.kernels.linear import as_image, is_large, linear, runs_as_convolution
from slowfast.layers.kernels.recompute import recomputed


def gelu_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x (..., K), weight (N, K), bias (N,) -> GELU(x) weight^T + bias (..., N).

    In training GELU(x) is made again for the gradients. Without gradients it overwrites x on a CPU, where fresh memory of
    the size of a hidden layer costs more than GELU itself.
    """
    if may_choose_kernels(x):
        if not torch.is_grad_enabled():
            return linear(torch.ops.aten.gelu_(x), weight, bias)
        if is_large(x, len(bias)):
            return _GeluLinear.apply(x, weight, bias)
    return recomputed(lambda hidden: linear(F.gelu(hidden), weight, bias), x)


class _GeluLinear(torch.autograd.Function):
    """The same layer in float32 on a CPU, where it pays to put one large result in the place of another."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return linear(F.gelu(x), weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        grad_weight = _product_over_tokens(grad, F.gelu(x)) if needs_weight else None
        grad_x = linear(grad, weight.t(), None) if needs_x else None
        if needs_x:
            torch.ops.aten.gelu_backward.grad_input(grad_x, x, grad_input=grad_x)
        return grad_x, grad_weight, grad.flatten(0, -2).sum(0) if needs_bias else None


def _product_over_tokens(left: Tensor, right: Tensor) -> Tensor:
    """(..., N), (..., K) -> (N, K), the sum over all tokens of left x right.

    In oneDNN it is the gradient of a 1 x 1 convolution's weight. With fewer output than input channels that takes half as
    long again, so the wider side is taken for the output.
    """
    if not runs_as_convolution(left, right.shape[-1]):
        return left.flatten(0, -2).t() @ right.flatten(0, -2)
    if left.shape[-1] < right.shape[-1]:
        return _product_over_tokens(right, left).t()
    shape_only = left.new_empty(left.shape[-1], right.shape[-1], 1, 1)
    arguments = (None, (1, 1), (0, 0), (2, 1), False, (0, 0), 1, (False, True, False))
    _, product, _ = torch.ops.aten.convolution_backward(as_image(left), as_image(right), shape_only, *arguments)
    return product.flatten(1)
