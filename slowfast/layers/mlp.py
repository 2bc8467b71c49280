"""Two-layer perceptron of a transformer block."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slowfast.layers.gelu_linear import gelu_linear
from slowfast.layers.linear import Linear
from slowfast.layers.onednn import may_choose_kernels
from slowfast.layers.recompute import recomputed

# Elements of the hidden layer that are made at once on a CPU when no gradient is wanted: 6 MB stay in its caches, and
# memory that malloc gives back (above 32 MB always) need not be asked for again.
_HIDDEN_AT_ONCE = 3 * 2**19


class Mlp(nn.Module):
    """Linear -> GELU -> dropout -> Linear -> dropout. (B, L, dim_in) -> (B, L, dim_out).

    norm: applied to x first. In training neither its output nor GELU's is kept for the backward pass (`recomputed`).
    """

    def __init__(self, dim_in: int, *, hidden: int, dim_out: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = Linear(dim_in, hidden)
        self.fc2 = Linear(hidden, dim_out)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, *, norm: nn.Module) -> Tensor:
        if torch.is_grad_enabled() or not may_choose_kernels(x):
            return self._whole(x, norm)
        tokens = max(1, _HIDDEN_AT_ONCE // (len(x) * self.fc1.out_features))
        parts = [self._whole(part, norm) for part in x.split(tokens, dim=1)]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def _whole(self, x: Tensor, norm: nn.Module) -> Tensor:
        hidden = recomputed(lambda tokens: self.fc1(norm(tokens)), x)
        if self.dropout.p == 0:
            return gelu_linear(hidden, self.fc2.weight, self.fc2.bias)
        return self.dropout(recomputed(self._activate_and_project, hidden, random=True))

    def _activate_and_project(self, hidden: Tensor) -> Tensor:
        return self.fc2(self.dropout(F.gelu(hidden)))
