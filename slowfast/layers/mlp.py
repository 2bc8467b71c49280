"""Two-layer perceptron of a transformer block."""

from torch import Tensor, nn

from slowfast.layers import kernels


class Mlp(nn.Module):
    """Linear -> GELU -> dropout -> Linear -> dropout. (..., dim_in) -> (..., dim_out)."""

    def __init__(self, dim_in: int, *, hidden: int, dim_out: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = kernels.Linear(dim_in, hidden)
        self.fc2 = kernels.Linear(hidden, dim_out)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: kernels.Tokens) -> Tensor:
        return kernels.mlp(x, self.fc1, self.fc2, self.dropout)
