"""The MLP of a block: of its hidden layer nothing but GELU's input is kept for the gradients."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from slowfast.layers.kernels import choice
from slowfast.layers.kernels.linear_layer import Linear, linear, product_over_tokens
from slowfast.layers.kernels.recompute import Normed, Tokens, recomputed


def mlp(x: Tokens, fc1: Linear, fc2: Linear, dropout: nn.Dropout) -> Tensor:
    """dropout(fc2(dropout(GELU(fc1(x))))): (..., dim_in) -> (..., dim_out).

    Without gradients a CPU makes a large hidden layer in parts.
    """
    parts = choice.parts_of_mlp(x if isinstance(x, Tensor) else x.tokens, fc1.out_features)
    return _whole(x, fc1, fc2, dropout) if parts == 1 else _in_parts(x, fc1, fc2, dropout, parts)


def _in_parts(x: Tokens, fc1: Linear, fc2: Linear, dropout: nn.Dropout, parts: int) -> Tensor:
    tokens = x if isinstance(x, Tensor) else x.tokens
    done = []
    for rows in tokens.flatten(0, -2).chunk(parts):
        part = rows if isinstance(x, Tensor) else Normed(x.norm, rows)
        done.append(_whole(part, fc1, fc2, dropout))
    return torch.cat(done).unflatten(0, tokens.shape[:-1])


def _whole(x: Tokens, fc1: Linear, fc2: Linear, dropout: nn.Dropout) -> Tensor:
    hidden = fc1(x)
    if dropout.p == 0:
        return gelu_linear(hidden, fc2.weight, fc2.bias)
    return dropout(recomputed(lambda hidden: fc2(dropout(F.gelu(hidden))), hidden, random=True))


def gelu_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x (..., K), weight (N, K), bias (N,) -> GELU(x) weight^T + bias (..., N).

    In training GELU(x) is made again for the gradients. Without gradients it overwrites x on a CPU.
    """
    if choice.overwrites_gelu_input(x):
        return linear(torch.ops.aten.gelu_(x), weight, bias)
    if choice.has_own_gelu_gradient(x, len(bias)):
        return _GeluLinear.apply(x, weight, bias)
    return recomputed(lambda hidden: linear(F.gelu(hidden), weight, bias), x)


class _GeluLinear(torch.autograd.Function):
    """The same layer in float32 on a CPU, where it pays to put one large result in the place of another."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return linear(F.gelu(x), weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        grad_weight = product_over_tokens(grad, F.gelu(x)) if needs_weight else None
        grad_x = None
        if needs_x:
            grad_x = linear(grad, weight.t(), None)
            torch.ops.aten.gelu_backward.grad_input(grad_x, x, grad_input=grad_x)
        return grad_x, grad_weight, grad.flatten(0, -2).sum(0) if needs_bias else None
