"""A linear layer that runs as a 1 x 1 convolution where that is the faster kernel for the same numbers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slowfast.layers.kernels import choice
from slowfast.layers.kernels.recompute import Tokens, through


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x (..., K), weight (N, K), bias (N,) or None -> x weight^T + bias (..., N).

    For float32 on a CPU PyTorch sends a linear layer to MKL and a convolution to oneDNN, which is faster on some CPUs.
    The tokens of a sequence are the pixels of a channels-last image one pixel high, so the detour copies nothing. A kernel
    of one pixel has nothing to dilate: PyTorch merely keeps undilated 1 x 1 convolutions of one image away from oneDNN in
    a single thread.
    """
    if not choice.multiplies_in_onednn(x, weight.shape[0]):
        return F.linear(x, weight, bias)
    image = F.conv2d(as_image(x), weight[:, :, None, None], bias, dilation=(2, 1))
    return image.permute(0, 2, 3, 1).reshape(*x.shape[:-1], -1)


def as_image(x: Tensor) -> Tensor:
    """(..., K) -> (1, K, 1, tokens), channels last in memory."""
    return x.reshape(1, 1, -1, x.shape[-1]).permute(0, 3, 1, 2)


def product_over_tokens(left: Tensor, right: Tensor) -> Tensor:
    """(..., N), (..., K) -> (N, K), the sum over all tokens of left x right.

    In oneDNN it is the gradient of a 1 x 1 convolution's weight. With fewer output than input channels that takes half as
    long again, so the wider side is taken for the output.
    """
    if not choice.multiplies_in_onednn(left, right.shape[-1]):
        return left.flatten(0, -2).t() @ right.flatten(0, -2)
    if left.shape[-1] < right.shape[-1]:
        return product_over_tokens(right, left).t()
    shape_only = left.new_empty(left.shape[-1], right.shape[-1], 1, 1)
    arguments = (None, (1, 1), (0, 0), (2, 1), False, (0, 0), 1, (False, True, False))
    _, product, _ = torch.ops.aten.convolution_backward(as_image(left), as_image(right), shape_only, *arguments)
    return product.flatten(1)


class Linear(nn.Linear):
    """`nn.Linear` on the faster of two kernels: (..., K) -> (..., N)."""

    def forward(self, x: Tokens) -> Tensor:
        return through(lambda tokens: linear(tokens, self.weight, self.bias), x)
