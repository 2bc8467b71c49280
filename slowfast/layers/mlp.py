"""Two-layer perceptron of a transformer block."""

from torch import Tensor, nn


class Mlp(nn.Module):
    """Linear -> GELU -> dropout -> Linear -> dropout. (..., dim_in) -> (..., dim_out)."""

    def __init__(self, dim_in: int, *, hidden: int, dim_out: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim_in, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim_out)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.fc2(self.dropout(self.act(self.fc1(x)))))
