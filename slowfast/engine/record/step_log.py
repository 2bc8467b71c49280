"""StepLog: the numbers of training steps: on the progress bar, or printed where there is none, and in log.jsonl."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import torch

from slowfast.engine.device.memory import GIB, peak_bytes
from slowfast.engine.record.run_log import RunLog
from slowfast.engine.record.time_left import TimeLeft
from slowfast.utils.logging import get_logger
from slowfast.utils.meters import LossMeter, Stopwatch
from slowfast.utils.processes import distributed


class StepLog:
    """Called after each step: moves the bar on, and every `period` steps writes losses, rates and times.

    Where the bar is not drawn, or what is printed goes into a file or a pipe, these are a line of the log, too.

    epoch, epochs, steps: number of the epoch from 0, how many there are, and the steps of one
    accumulate:   micro-batches of a step; batch_size: clips of a step on all processes
    device:       whose memory is told
    time_left:    of the whole run
    """

    def __init__(
        self,
        log: RunLog,
        bar: Any,
        optimizer: torch.optim.Optimizer,
        *,
        epoch: int,
        epochs: int,
        steps: int,
        period: int,
        accumulate: int,
        batch_size: int,
        device: torch.device,
        time_left: TimeLeft,
    ) -> None:
        self._log, self._bar, self._optimizer = log, bar, optimizer
        self._epoch, self._steps, self._period = epoch, steps, period
        self._accumulate, self._batch_size = accumulate, batch_size
        self._epochs, self._device, self._time_left = epochs, device, time_left
        self._prints = bool(getattr(bar, "disable", False)) or not sys.stdout.isatty()
        self._since, self._taken = time.perf_counter(), 0

    def __call__(self, step: int, factor: float, meter: LossMeter, watch: Stopwatch) -> None:
        self._bar.update()
        self._taken += 1
        if (step + 1) % self._period and step + 1 != self._steps:
            return
        # Micro-batches and processes each hold their part of a step's loss.
        losses = {
            name: value * self._accumulate for name, value in distributed.mean_by_name(meter.means_and_reset()).items()
        }
        spent = watch.read_and_reset()
        seconds = time.perf_counter() - self._since
        total_steps = self._epoch * self._steps + step + 1
        self._time_left.note_steps(seconds / self._taken)
        left, memory = self._time_left.seconds(total_steps), peak_bytes(self._device)
        data_share = spent.get("data", 0.0) / seconds if seconds else 0.0
        rates = {group["name"]: group["lr"] for group in self._optimizer.param_groups}
        total = losses.pop("total", float("nan"))  # nothing was finite
        self._log.write(
            "train",
            at=total_steps,
            epoch=self._epoch + 1,
            step=total_steps,
            loss=total,
            **{f"loss/{name}": value for name, value in losses.items()},
            lr=rates,
            lr_factor=factor,
            seconds_per_step=seconds / self._taken,
            data_seconds=spent.get("data", 0.0) / self._taken,
            clips_per_second=self._batch_size * self._taken / seconds,
            data_share=data_share,
            memory_gib=memory / GIB,
            seconds_left=None if left is None else left[0],
        )
        run = self._time_left.text(total_steps)
        self._bar.set_postfix_str(
            ", ".join([*(f"{name} {value:.3f}" for name, value in losses.items()), f"run: {run}"])
        )
        if self._prints:
            get_logger().info(
                "epoch %d/%d, step %d/%d: loss %.4g (%s), learning rate %s, %.3g s a step, %.0f %% of it waiting for data, "
                "%.1f GiB of %s at most, %s",
                *(self._epoch + 1, self._epochs, step + 1, self._steps, total),
                *(_terms(losses), _rates(rates), seconds / self._taken, 100 * data_share, memory / GIB),
                "GPU memory" if self._device.type == "cuda" else "memory",
                run,
            )
        self._since, self._taken = time.perf_counter(), 0


def _terms(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in losses.items())


def _rates(rates: Mapping[str, float]) -> str:
    """ "2.5e-05", or the range "2.5e-05 to 0.0002" where groups learn at several."""
    low, high = min(rates.values()), max(rates.values())
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
