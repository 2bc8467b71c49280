"""Running values of a training epoch."""

import time
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from slowfast.utils.processes import distributed


class LossMeter:
    """Sums named scalar tensors on their device and reads them out together: one copy to the host per read-out."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, values: dict[str, Tensor]) -> None:
        """Add one step's values."""
        for name, value in values.items():
            value = value.detach().float()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._count += 1

    @property
    def names(self) -> list[str]:
        return list(self._sums)

    def means_and_reset(self) -> dict[str, float]:
        """The means since the last read-out, nothing where nothing was added; the sums start again."""
        means = (
            dict(zip(self._sums, (torch.stack(list(self._sums.values())) / self._count).tolist(), strict=True))
            if self._sums
            else {}
        )
        self._sums, self._count = {}, 0
        return means

    def average_over_processes(self) -> None:
        """Put the mean of all processes in the place of the sums of this one, so that one of them can stand for all."""
        if self._sums:
            means = distributed.mean_over_processes_(torch.stack(list(self._sums.values())))
            self._sums = dict(zip(self._sums, means.unbind(), strict=True))

    def state_dict(self) -> dict[str, Any]:
        """What was summed since the last read-out, for a checkpoint between two of them."""
        return {"sums": dict(self._sums), "count": self._count}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self._count = state["count"]


class Stopwatch:
    """Seconds spent under each name since the last read-out."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = defaultdict(float)
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Count the time since the last lap under `name`."""
        now = time.perf_counter()
        self._spent[name] += now - self._last
        self._last = now

    def read_and_reset(self) -> dict[str, float]:
        spent, self._spent = dict(self._spent), defaultdict(float)
        return spent
