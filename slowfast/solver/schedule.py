"""Learning rate schedules: a factor for every moment of the training, applied to each group's own base rate."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

from torch.optim import Optimizer

Policy = Callable[[float], float]


def cosine(max_epoch: float, *, end_factor: float = 0.0, begin: float = 0.0) -> Policy:
    """Half a cosine from 1 at epoch `begin` to `end_factor` at `max_epoch` (Loshchilov and Hutter 2017, equation 5)."""

    def factor(epoch: float) -> float:
        done = min((epoch - begin) / (max_epoch - begin), 1.0) if epoch > begin else 0.0
        return end_factor + (1 - end_factor) * (math.cos(math.pi * done) + 1) / 2

    return factor


def steps(boundaries: Sequence[float], factors: Sequence[float]) -> Policy:
    """`factors[i]` from epoch `boundaries[i]` on; the first boundary is 0."""
    if (
        len(boundaries) != len(factors)
        or not boundaries
        or boundaries[0] != 0
        or list(boundaries) != sorted(boundaries)
    ):
        raise ValueError(
            f"SOLVER.STEPS {list(boundaries)} must rise from 0 and have one factor each in SOLVER.LRS, got {list(factors)}"
        )
    return lambda epoch: factors[bisect_right(boundaries, epoch) - 1]


class Schedule:
    """Linear warm-up from `warmup_start` (a factor) to where the policy is after `warmup_epochs`, then the policy."""

    def __init__(self, policy: Policy, *, warmup_epochs: float = 0.0, warmup_start: float = 0.0) -> None:
        self.policy, self.warmup_epochs, self.warmup_start = policy, warmup_epochs, warmup_start

    def factor(self, epoch: float) -> float:
        """The factor at a moment, in epochs with fraction, from 0."""
        if epoch >= self.warmup_epochs:
            return self.policy(epoch)
        progress = epoch / self.warmup_epochs
        return self.warmup_start + (self.policy(self.warmup_epochs) - self.warmup_start) * progress

    def apply(self, optimizer: Optimizer, epoch: float) -> float:
        """Set every group's rate and return the factor."""
        factor = self.factor(epoch)
        for group in optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
        return factor
