"""Two-layer perceptron of a transformer block."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slowfast.layers.kernels.choice import may_choose_kernels
from slowfast.layers.kernels.gelu_linear import gelu_linear
from slowfast.layers.kernels.linear import Linear
from slowfast.layers.kernels.recompute import recomputed

# Elements of a float32 tensor up to which malloc (glibc's, at best) keeps its memory: 32 MB. Larger ones are given back,
# and on a CPU asking the system again costs as much as the arithmetic on them.
_KEPT = 2**23


class Mlp(nn.Module):
    """Linear -> GELU -> dropout -> Linear -> dropout. (..., dim_in) -> (..., dim_out).

    norm: applied to x first. In training neither its output nor GELU's is kept for the backward pass (`recomputed`).
    Without gradients a CPU makes a large hidden layer in parts.
    """

    def __init__(self, dim_in: int, *, hidden: int, dim_out: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = Linear(dim_in, hidden)
        self.fc2 = Linear(hidden, dim_out)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, *, norm: nn.Module) -> Tensor:
        if torch.is_grad_enabled() or not may_choose_kernels(x):
            return self._whole(x, norm)
        tokens = x.flatten(0, -2)
        hidden = len(tokens) * self.fc1.out_features
        if hidden <= _KEPT:
            return self._whole(x, norm)
        parts = tokens.chunk(math.ceil(2 * hidden / _KEPT))
        return torch.cat([self._whole(part, norm) for part in parts]).unflatten(0, x.shape[:-1])

    def _whole(self, x: Tensor, norm: nn.Module) -> Tensor:
        hidden = recomputed(lambda tokens: self.fc1(norm(tokens)), x)
        if self.dropout.p == 0:
            return gelu_linear(hidden, self.fc2.weight, self.fc2.bias)
        return self.dropout(recomputed(self._activate_and_project, hidden, random=True))

    def _activate_and_project(self, hidden: Tensor) -> Tensor:
        return self.fc2(self.dropout(F.gelu(hidden)))
