"""StepLog: the numbers of training steps, on the progress bar and in log.jsonl."""

import time
from typing import Any

import torch

from slowfast.engine.record.run_log import RunLog
from slowfast.utils import distributed
from slowfast.utils.meters import LossMeter, Stopwatch


class StepLog:
    """Called after each step: moves the bar on, and every `period` steps writes losses, rates and times.

    epoch, steps: number of the epoch from 0, and its steps
    accumulate:   micro-batches of a step; batch_size: clips of a step on all processes
    """

    def __init__(
        self,
        log: RunLog,
        bar: Any,
        optimizer: torch.optim.Optimizer,
        *,
        epoch: int,
        steps: int,
        period: int,
        accumulate: int,
        batch_size: int,
    ) -> None:
        self._log, self._bar, self._optimizer = log, bar, optimizer
        self._epoch, self._steps, self._period = epoch, steps, period
        self._accumulate, self._batch_size = accumulate, batch_size
        self._since, self._taken = time.perf_counter(), 0

    def __call__(self, step: int, factor: float, meter: LossMeter, watch: Stopwatch) -> None:
        self._bar.update()
        self._taken += 1
        if (step + 1) % self._period and step + 1 != self._steps:
            return
        names = meter.names
        # Micro-batches and processes each hold their part of a step's loss.
        means = distributed.mean_over_processes_(meter.mean_and_reset()) * self._accumulate
        losses = dict(zip(names, means.tolist(), strict=True))
        spent = watch.read_and_reset()
        seconds = time.perf_counter() - self._since
        total_steps = self._epoch * self._steps + step + 1
        self._log.write(
            "train",
            at=total_steps,
            epoch=self._epoch + 1,
            step=total_steps,
            loss=losses.pop("total"),
            **{f"loss/{name}": value for name, value in losses.items()},
            lr={group["name"]: group["lr"] for group in self._optimizer.param_groups},
            lr_factor=factor,
            seconds_per_step=seconds / self._taken,
            data_seconds=spent.get("data", 0.0) / self._taken,
            clips_per_second=self._batch_size * self._taken / seconds,
        )
        self._bar.set_postfix_str(", ".join(f"{name} {value:.3f}" for name, value in losses.items()))
        self._since, self._taken = time.perf_counter(), 0
