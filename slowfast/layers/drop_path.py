"""Stochastic depth (Huang et al. 2016): drop a residual branch for whole clips."""

from torch import Tensor, nn


class DropPath(nn.Module):
    """Zero the branch of a clip with probability `rate` while training, and scale the kept ones by 1 / (1 - rate)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"drop path rate must be in [0, 1), got {rate} (MVIT.DROPPATH_RATE)")
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if self.rate == 0 or not self.training:
            return x
        keep = 1 - self.rate
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        return x * mask.div_(keep)

    def extra_repr(self) -> str:
        return f"rate={self.rate:.3f}"
