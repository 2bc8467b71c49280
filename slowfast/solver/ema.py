"""Exponential moving average of the weights."""

import copy

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from slowfast.utils.processes.shards import is_cut


class WeightAverage:
    """Keeps `average`, a copy of the model whose floating-point state follows it with rate 1 - decay."""

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"EMA decay must be in (0, 1), got {decay} (SOLVER.EMA_DECAY; 0 turns it off)")
        self.decay = decay
        # All tensors in one call: a GPU is given a few kernels, not one for each tensor.
        self._move = get_ema_multi_avg_fn(decay)
        self.average = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        ours, theirs = self.average.state_dict(), model.state_dict()
        moving = [name for name, value in theirs.items() if value.is_floating_point()]
        cut = {name for name in moving if is_cut(theirs[name])}  # buffers are whole where parameters are cut (FSDP2)
        for names in (sorted(cut), [name for name in moving if name not in cut]):
            if names:
                self._move([ours[name] for name in names], [theirs[name] for name in names], None)
        for name in theirs.keys() - moving:
            ours[name].copy_(theirs[name])
