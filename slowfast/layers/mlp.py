"""Two-layer perceptron of a transformer block."""

import torch.nn.functional as F
from torch import Tensor, nn

from slowfast.layers.gelu_linear import gelu_linear
from slowfast.layers.linear import Linear
from slowfast.layers.recompute import recomputed


class Mlp(nn.Module):
    """Linear -> GELU -> dropout -> Linear -> dropout. (..., dim_in) -> (..., dim_out).

    norm: applied to x first. In training neither its output nor GELU's is kept for the backward pass (`recomputed`).
    """

    def __init__(self, dim_in: int, *, hidden: int, dim_out: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = Linear(dim_in, hidden)
        self.fc2 = Linear(hidden, dim_out)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, norm: nn.Module | None = None) -> Tensor:
        hidden = self.fc1(x) if norm is None else recomputed(lambda tokens: self.fc1(norm(tokens)), x)
        if self.dropout.p == 0:
            return gelu_linear(hidden, self.fc2.weight, self.fc2.bias)
        return self.dropout(recomputed(self._activate_and_project, hidden, random=True))

    def _activate_and_project(self, hidden: Tensor) -> Tensor:
        return self.fc2(self.dropout(F.gelu(hidden)))
