"""Linear layers that read one norm, whose output is made again for the gradients and nothing else with it.

`recomputed` would make the results of all layers but the last again: it stops at the last tensor that was kept, and
every layer keeps what it read.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from slowfast.layers.kernels.linear_layer import linear, product_over_tokens


class Layer(NamedTuple):
    """weight (N, K), bias (N,) or None; places (L',) int64 of the tokens that it reads, None for all."""

    weight: Tensor
    bias: Tensor | None
    places: Tensor | None = None


def layers_of_norm(x: Tensor, norm: nn.LayerNorm, layers: Sequence[Layer]) -> tuple[Tensor, ...]:
    """x (B, L, K) -> norm(x) weight^T + bias for each layer, (B, L or L', N)."""
    places = tuple(layer.places for layer in layers)
    numbers = [tensor for layer in layers for tensor in (layer.weight, layer.bias)]
    return _LayersOfNorm.apply(x, norm.weight, norm.bias, norm.eps, places, *numbers)


class _LayersOfNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, x: Tensor, weight: Tensor, bias: Tensor, eps: float, places: tuple[Tensor | None, ...],
        *numbers: Any,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """numbers: weight and bias of each layer in turn; a bias may be None."""
        tokens = F.layer_norm(x, x.shape[-1:], weight, bias, eps)
        ctx.eps, ctx.places = eps, places
        ctx.save_for_backward(x, weight, bias, *numbers[::2])
        layers = zip(numbers[::2], numbers[1::2], places, strict=True)
        return tuple(linear(_read(tokens, at), layer, add) for layer, add, at in layers)

    @staticmethod
    @once_differentiable
    def backward(ctx, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, *layers = ctx.saved_tensors
        tokens, mean, scale = torch.native_layer_norm(x, x.shape[-1:], weight, bias, ctx.eps)
        needs = ctx.needs_input_grad[5:]
        of_tokens, of_numbers = torch.zeros_like(x) if ctx.places[0] is not None else None, []
        for number, (grad, layer, at) in enumerate(zip(grads, layers, ctx.places, strict=True)):
            needs_layer, needs_bias = needs[2 * number : 2 * number + 2]
            of_numbers.append(product_over_tokens(grad, _read(tokens, at)) if needs_layer else None)
            of_numbers.append(grad.flatten(0, -2).sum(0) if needs_bias else None)
            part = linear(grad, layer.t(), None)
            if of_tokens is None:
                of_tokens = part
            elif at is None:
                of_tokens += part
            else:
                of_tokens.index_add_(1, at, part)
        masks = list(ctx.needs_input_grad[:3])
        of_norm = torch.ops.aten.native_layer_norm_backward(
            of_tokens, x, x.shape[-1:], mean, scale, weight, bias, masks
        )
        return *of_norm, None, None, *of_numbers


def _read(tokens: Tensor, places: Tensor | None) -> Tensor:
    return tokens if places is None else tokens.index_select(1, places)
