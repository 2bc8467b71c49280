"""Exponential moving average of the weights."""

import copy

import torch
from torch import nn


class WeightAverage:
    """Keeps `average`, a copy of the model whose floating-point state follows it with rate 1 - decay."""

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"EMA decay must be in (0, 1), got {decay} (SOLVER.EMA_DECAY; 0 turns it off)")
        self.decay = decay
        self.average = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        ours, theirs = self.average.state_dict(), model.state_dict()
        for name, value in theirs.items():
            if value.is_floating_point():
                ours[name].lerp_(value, 1 - self.decay)
            else:
                ours[name].copy_(value)
