"""Steps whose gradient is not finite, with an optimiser that leaves them out by itself, as a GPU's does."""

import copy

import pytest
import torch

from slowfast.engine.device.requests import Requests
from slowfast.engine.record.epoch_report import EpochReport
from slowfast.engine.saving import Saving
from slowfast.engine.updates import MAX_SKIPPED_STEPS, Updates
from tests.unit.engine.one_step import batch_of, train
from tests.unit.models.tiny import tiny_bmvit

UNSCALED = torch.amp.GradScaler("cpu", enabled=False)


def adamw(model: torch.nn.Module, *, fused: bool) -> torch.optim.Optimizer:
    groups = [{"params": list(model.parameters()), "base_lr": 1e-3, "name": "all x1"}]
    return torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.5, fused=fused)


def poisoned(model: torch.nn.Module, steps: set[int]) -> torch.nn.Module:
    """In these steps, counted from 0, a gradient is NaN while the outputs stay finite."""
    calls = iter(range(10**6))
    model.heads.action[-1].weight.register_hook(lambda grad: grad * (float("nan") if next(calls) in steps else 1.0))
    return model


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_is_left_out_moves_neither_weights_nor_moments(fused):
    skips, ends = [], []
    for steps in ({1, 3}, set()):
        model = poisoned(tiny_bmvit(), steps)
        optimizer = adamw(model, fused=fused)
        report = train(
            model,
            [batch_of((2,), first=k) for k in ((0, 9, 1, 9) if steps else (0, 1))],
            optimizer,
            clip_grad=1.0,
            saving=Saving(Requests(), skip=lambda step, report: skips.append((step, report.last_skipped))),
        )
        assert (report.skipped, report.skipped_in_a_row) == (len(steps), len(steps) // 2)
        states = [state[name] for state in optimizer.state.values() for name in ("step", "exp_avg", "exp_avg_sq")]
        ends.append([parameter.detach() for parameter in model.parameters()] + states)
    assert skips == [(1, ["video at 9"]), (3, ["video at 9"])]
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_nobody_looks_at_a_step_before_the_next_one():
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = adamw(torch.nn.ParameterList([parameter]), fused=True)
    report, skipped = EpochReport(), []
    updates = Updates(optimizer, UNSCALED, report)
    for number, norm in enumerate((float("nan"), 1.0)):
        parameter.grad = torch.full((2,), norm)
        updates.step(torch.tensor(norm), lambda report, number=number: skipped.append(number))
        assert skipped == [0][:number] and not hasattr(optimizer, "found_inf")
    assert (report.skipped, report.skipped_in_a_row) == (1, 1)
    updates.settle()
    assert (report.skipped, report.skipped_in_a_row) == (1, 0) and skipped == [0]


def test_too_many_in_a_row_end_the_run_with_the_clips_of_the_last():
    model = poisoned(tiny_bmvit(), set(range(20)))
    batches = [batch_of((1,), first=k) for k in range(MAX_SKIPPED_STEPS + 1)]
    with pytest.raises(
        FloatingPointError, match=r"not finite in 6 steps in a row \(norm nan\); clips of .*: video at 5;"
    ):
        train(model, batches, adamw(model, fused=True))


def test_what_is_saved_knows_of_the_step_before():
    model, saved = poisoned(tiny_bmvit(), {1}), []
    train(
        model,
        [batch_of((1,))] * 3,
        adamw(model, fused=True),
        saving=Saving(Requests(), every_steps=2, save=lambda done, report, meter: saved.append(copy.copy(report))),
    )
    assert [(report.skipped, report.skipped_in_a_row) for report in saved] == [(1, 1)]
