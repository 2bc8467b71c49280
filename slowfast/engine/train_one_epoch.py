"""One epoch of training: the loop, and nothing that depends on the task."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import nn

from slowfast.engine.device.inputs import Inputs
from slowfast.engine.device.parallel import gradients_averaged, same_statistics
from slowfast.engine.device.prefetch import Prefetch
from slowfast.engine.device.requests import Requests
from slowfast.engine.record.epoch_report import EpochReport
from slowfast.engine.saving import Saving
from slowfast.engine.updates import Updates
from slowfast.losses.criterion import Criterion, Losses
from slowfast.solver.ema import WeightAverage
from slowfast.solver.schedule import Schedule
from slowfast.structures.clip import ClipBatch
from slowfast.structures.targets import Counts
from slowfast.structures.tensors import tensors_in
from slowfast.utils.meters import LossMeter, Stopwatch
from slowfast.utils.processes import distributed
from slowfast.utils.processes.shards import is_cut
from slowfast.utils.processes.waiting import note_place
from slowfast.utils.seed import seed_step

StepHook = Callable[[int, float, LossMeter, Stopwatch], None]


@dataclass(frozen=True)
class EpochPlan:
    """What an epoch does.

    epoch:          its number from 0, where the schedule begins
    steps:          optimiser steps, of `accumulate` micro-batches each
    clip_grad:      largest L2 norm of the gradient; 0 does not shorten it
    skipped_before: steps skipped in a row at the end of the epoch before
    clip_value:     largest magnitude of a number of the gradient, instead of `clip_grad`; 0 cuts none
    first_step:     where the epoch begins; the loader leaves out the steps before
    seed:           of the run: what a step draws depends on seed, epoch, step and process; None leaves it to the caller
    clips:          of a step over all processes; with `max_unreadable`, the share of the epoch's clips above which those
                    that cannot be read end the run. 0: unknown, and never
    """

    epoch: int
    steps: int
    accumulate: int = 1
    clip_grad: float = 0.0
    skipped_before: int = 0
    clip_value: float = 0.0
    first_step: int = 0
    seed: int | None = None
    clips: int = 0
    max_unreadable: float = 1.0


def train_one_epoch(
    model: nn.Module,
    criterion: Criterion,
    loader: Iterable[ClipBatch],
    optimizer: torch.optim.Optimizer,
    *,
    inputs: Inputs,
    schedule: Schedule,
    plan: EpochPlan,
    scaler: torch.amp.GradScaler | None = None,
    average: WeightAverage | None = None,
    on_step: StepHook | None = None,
    saving: Saving | None = None,
    so_far: tuple[EpochReport, LossMeter] | None = None,
) -> EpochReport:
    """Train as `plan` says. `on_step(step, lr_factor, meter, stopwatch)` logs; `saving` saves and stops between steps.

    so_far: what the epoch has met and summed, where a run goes on within it

    A step's losses are normalised by the people and clips of all its micro-batches on all processes, so neither
    accumulation nor the number of processes changes the gradient.
    """
    model.train()
    scaler = scaler or torch.amp.GradScaler(inputs.device.type, enabled=False)
    saving, watch = saving or Saving(Requests()), Stopwatch()
    report, meter = so_far or (EpochReport(skipped_in_a_row=plan.skipped_before), LossMeter())
    updates = Updates(optimizer, scaler, report)
    upcoming, predict = Prefetch(_steps(loader, plan.accumulate), inputs.device), inputs.predictor(model)
    for step, micro_batches in enumerate(upcoming, start=plan.first_step):
        watch.lap("data")
        note_place(f"epoch {plan.epoch + 1}, step {step + 1}")
        if plan.seed is not None:
            seed_step(plan.seed, plan.epoch, step, distributed.rank())
        factor = schedule.apply(optimizer, plan.epoch + step / plan.steps)
        per, wishes = agreed(micro_batches, saving.wishes())
        report.note_readable(per.clips * distributed.world_size(), plan.clips, plan.max_unreadable * plan.steps)
        optimizer.zero_grad(set_to_none=True)
        for number, batch in enumerate(micro_batches, start=1):
            is_last = number == len(micro_batches)
            report.note_clips(batch)
            batch = inputs.prepare(batch)
            with gradients_averaged(model, is_last):
                predictions = predict(batch)
                if is_last:
                    watch.lap("step")
                    upcoming.copy_next()
                    watch.lap("data")
                losses = _losses(criterion, predictions, batch, per, report)
                scaler.scale(losses.total).backward()
            if losses.terms:
                meter.add({**losses.terms, "total": losses.total})
            report.notes.update(losses.notes)
        scaler.unscale_(optimizer)
        norm = _clip(model, plan)
        if per.clips:  # else no process could read any clip: not even weight decay or momentum moves the weights
            updates.step(norm, partial(saving.skipped, step, [meta for batch in micro_batches for meta in batch.meta]))
        scaler.update()
        _follow(model, average)
        report.steps += 1
        watch.lap("step")
        if on_step is not None:
            on_step(step, factor, meter, watch)
        if saving.is_due(step + 1, plan.steps, wishes):
            updates.settle()
        if saving.after_step(step + 1, plan.steps, wishes, report, meter):
            report.stopped = True
            break
    updates.settle()
    return report


def _losses(criterion: Criterion, predictions: Any, batch: ClipBatch, per: Counts, report: EpochReport) -> Losses:
    """The losses of a batch. Where they are not finite: a total of NaN, without terms, whose gradient no process takes."""
    try:
        losses = criterion(predictions, batch.targets, per=per, names=[str(meta) for meta in batch.meta])
    except FloatingPointError as error:
        report.not_finite.append(str(error))
        everything = sum(tensor.float().sum() for _, tensor in tensors_in(predictions))
        return Losses({}, torch.nan * torch.as_tensor(everything))
    return losses if len(batch) else losses.silenced()


def _steps(loader: Iterable[ClipBatch], accumulate: int) -> Iterator[list[ClipBatch]]:
    """Groups of `accumulate` micro-batches."""
    batches = iter(loader)
    while group := list(islice(batches, accumulate)):
        yield group


def agreed(batches: Sequence[ClipBatch], wishes: Sequence[float]) -> tuple[Counts, list[float]]:
    """People and clips of the whole step over all processes, and their wishes, divided by the number of processes."""
    counts = [sum(numbers) for numbers in zip(*(batch.counts() for batch in batches), strict=True)]
    means = distributed.mean_over_processes([*counts, *wishes])
    return Counts(*means[: len(counts)]), means[len(counts) :]


def _follow(model: nn.Module, average: WeightAverage | None) -> None:
    """What follows the weights after each step: statistics that are alike on all processes, and the weight average."""
    same_statistics(model)
    if average is not None:
        average.update(getattr(model, "module", model))


def _clip(model: nn.Module, plan: EpochPlan) -> torch.Tensor:
    """Clip the gradient by value or by norm, as planned. Returns its norm before, which tells whether it is finite."""
    longest = 0.0 if plan.clip_value else plan.clip_grad
    norm = nn.utils.clip_grad_norm_(model.parameters(), longest or float("inf"))
    if plan.clip_value:
        nn.utils.clip_grad_value_(model.parameters(), plan.clip_value)
    return norm.full_tensor() if is_cut(norm) else norm  # type: ignore[attr-defined]
