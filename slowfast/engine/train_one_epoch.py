"""One epoch of training: the loop, and nothing that depends on the task."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import nn

from slowfast.engine.compiling import FullBatches
from slowfast.engine.inputs import InputPipe
from slowfast.engine.prefetch import Prefetch
from slowfast.losses.set_criterion import SetCriterion
from slowfast.solver.ema import WeightAverage
from slowfast.solver.schedule import Schedule
from slowfast.structures.clip import ClipBatch
from slowfast.utils import distributed
from slowfast.utils.meters import LossMeter, Stopwatch

MAX_SKIPPED_STEPS = 5
StepHook = Callable[[int, float, LossMeter, Stopwatch], None]


@dataclass
class EpochReport:
    """What an epoch met: steps done, steps skipped for gradients that were not finite, clips that could not be read."""

    steps: int = 0
    skipped_in_a_row: int = 0
    skipped: int = 0
    unreadable: list[str] = field(default_factory=list)
    repeated_frames: int = 0


def train_one_epoch(
    model: nn.Module,
    criterion: SetCriterion,
    loader: Iterable[ClipBatch],
    *,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    pipe: InputPipe,
    epoch: int,
    steps: int,
    accumulate: int = 1,
    clip_grad: float = 0.0,
    autocast: bool = False,
    average: WeightAverage | None = None,
    on_step: StepHook | None = None,
    skipped_before: int = 0,
) -> EpochReport:
    """Train for `steps` optimiser steps of `accumulate` micro-batches each.

    A step's losses are normalised by the people and clips of all its micro-batches on all processes, so neither
    accumulation nor the number of processes changes the gradient. `on_step(step, lr_factor, meter, stopwatch)` logs.
    `skipped_before`: steps skipped in a row at the end of the epoch before.
    """
    model.train()
    report, meter, watch = EpochReport(skipped_in_a_row=skipped_before), LossMeter(), Stopwatch()
    upcoming, full_batches = Prefetch(_steps(loader, accumulate), pipe.device), FullBatches()
    for step, micro_batches in enumerate(upcoming):
        watch.lap("data")
        factor = schedule.apply(optimizer, epoch + step / steps)
        num_people, num_clips = global_counts(micro_batches)
        optimizer.zero_grad(set_to_none=True)
        for i, batch in enumerate(micro_batches):
            _note(report, batch)
            batch = pipe(batch)
            last = i == len(micro_batches) - 1
            with nullcontext() if last or not hasattr(model, "no_sync") else model.no_sync():
                precision = torch.autocast(pipe.device.type, torch.bfloat16, enabled=autocast)
                with precision, full_batches.rule_for(batch.clips):
                    predictions = model(*pipe.arguments(batch))
                if last:
                    watch.lap("step")
                    upcoming.copy_next()
                    watch.lap("data")
                losses = criterion(
                    predictions,
                    batch.targets,
                    num_people=num_people,
                    num_clips=num_clips,
                    clip_names=[str(m) for m in batch.meta],
                )
                if not len(batch):  # a stand-in for unreadable clips teaches nothing
                    losses = {name: 0 * value for name, value in losses.items()}
                total = criterion.weighted_sum(losses)
                total.backward()
            meter.add(losses | {"total": total})
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip_grad or float("inf"))
        if num_clips:  # else no process could read any clip: not even weight decay or momentum moves the weights
            _step(optimizer, norm, report, micro_batches)
        if average is not None:
            average.update(getattr(model, "module", model))
        report.steps += 1
        watch.lap("step")
        if on_step is not None:
            on_step(step, factor, meter, watch)
    return report


def _steps(loader: Iterable[ClipBatch], accumulate: int) -> Iterator[list[ClipBatch]]:
    """Groups of `accumulate` micro-batches."""
    batches = iter(loader)
    while group := list(islice(batches, accumulate)):
        yield group


def global_counts(batches: Sequence[ClipBatch]) -> tuple[float, float]:
    """(people, clips) of the whole step over all processes, divided by the number of processes."""
    people = sum(sum(batch.targets.people_per_clip) for batch in batches)
    clips = sum(len(batch) for batch in batches)
    people, clips = distributed.mean_over_processes([people, clips])
    return people, clips


def _note(report: EpochReport, batch: ClipBatch) -> None:
    report.unreadable += [clip.reason for clip in batch.unreadable]
    report.repeated_frames += sum(meta.repeated_frames for meta in batch.meta)


def _step(
    optimizer: torch.optim.Optimizer, norm: torch.Tensor, report: EpochReport, batches: Sequence[ClipBatch]
) -> None:
    """Update the weights, unless the gradient is not finite: all processes see the same norm, so they agree."""
    if torch.isfinite(norm):
        optimizer.step()
        report.skipped_in_a_row = 0
        return
    report.skipped += 1
    report.skipped_in_a_row += 1
    if report.skipped_in_a_row > MAX_SKIPPED_STEPS:
        names = ", ".join(str(meta) for batch in batches for meta in batch.meta)
        rates = ", ".join(f"{group['name']}: {group['lr']:.2e}" for group in optimizer.param_groups)
        raise FloatingPointError(
            f"the gradient was not finite in {report.skipped_in_a_row} steps in a row (norm {norm.item()}); clips of the last one: "
            f"{names}; learning rates {rates}. Lower SOLVER.BASE_LR or set SOLVER.CLIP_GRAD_L2NORM"
        )
