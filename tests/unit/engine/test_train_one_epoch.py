"""slowfast.engine.train_one_epoch: accumulation, processes, gradients that are not finite, unreadable clips."""

import pytest
import torch

from slowfast.engine.device.requests import Requests
from slowfast.engine.record.epoch_report import UnreadableDataError
from slowfast.engine.saving import Saving
from slowfast.engine.train_one_epoch import EpochPlan
from slowfast.engine.updates import MAX_SKIPPED_STEPS
from slowfast.solver.ema import WeightAverage
from slowfast.solver.schedule import Schedule
from tests.forks import call_in_processes
from tests.unit.engine.one_step import (
    LOST,
    SHARED_STEPS,
    batch_of,
    criterion,
    sgd,
    steps_in_a_process,
    train,
    unreadable_batch,
)
from tests.unit.models.tiny import tiny_bmvit


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def assert_same(found: dict, expected: dict, **tolerance) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, msg=lambda text, name=name: f"{name}: {text}", **tolerance)


def after(*batches, accumulate: int = 1, lr: float = 0.1, **options) -> dict[str, torch.Tensor]:
    model = tiny_bmvit()
    train(model, list(batches), sgd(model, lr=lr), accumulate=accumulate, **options)
    return weights(model)


@pytest.mark.parametrize("people", [(2, 1, 0, 3), (1, 0, 0, 0), (0, 0, 0, 0)], ids=str)
def test_micro_batches_take_the_step_of_the_whole_batch(people):
    whole = after(batch_of(people))
    halves = after(batch_of(people[:2]), batch_of(people[2:], first=2), accumulate=2)
    quarters = after(*(batch_of((count,), first=k) for k, count in enumerate(people)), accumulate=4)
    assert_same(halves, whole, rtol=1e-5, atol=1e-6)
    assert_same(quarters, whole, rtol=1e-5, atol=1e-6)
    moved = [not torch.equal(value, weights(tiny_bmvit())[name]) for name, value in whole.items()]
    assert any(moved)


@pytest.mark.long
def test_two_processes_take_the_step_of_one(tmp_path):
    out = tmp_path / "weights.pt"
    call_in_processes(steps_in_a_process, str(tmp_path / "rendezvous"), str(out), processes=2)
    for (people, _), found in zip(SHARED_STEPS, torch.load(out, weights_only=True), strict=True):
        assert_same(found, after(batch_of(people)), rtol=1e-5, atol=1e-6)


def test_an_unreadable_micro_batch_teaches_nothing():
    alone = after(batch_of((2, 1)))
    assert_same(after(batch_of((2, 1)), unreadable_batch(), accumulate=2), alone, rtol=0, atol=0)
    assert_same(after(unreadable_batch(), batch_of((2, 1)), accumulate=2), alone, rtol=0, atol=0)


def test_a_step_without_a_readable_clip_leaves_the_weights_alone():
    model = tiny_bmvit()
    optimizer = torch.optim.AdamW([{"params": model.parameters(), "base_lr": 0.1}], lr=0.1, weight_decay=0.5)
    train(model, [batch_of((2, 1))], optimizer)  # the optimiser has momentum now
    before = weights(model)
    losses = []
    report = train(
        model,
        [unreadable_batch()] * 7,
        optimizer,
        on_step=lambda step, factor, meter, watch: losses.append(meter.means_and_reset()),
    )
    assert_same(weights(model), before, rtol=0, atol=0)
    assert (report.steps, report.skipped) == (7, 0)  # its gradient was not to blame
    assert report.unreadable == [LOST.reason] * 7
    assert all(value == 0 for step in losses for value in step.values()) and all(losses)


def poison(model: torch.nn.Module) -> None:
    """The next backward passes give NaN gradients, while the outputs stay finite."""
    model.heads.action[-1].weight.register_hook(lambda grad: grad * float("nan"))


def test_steps_with_gradients_that_are_not_finite_are_skipped():
    model = tiny_bmvit()
    before = weights(model)
    handle = model.heads.action[-1].weight.register_hook(lambda grad: grad * float("nan"))
    report = train(model, [batch_of((1, 2))] * MAX_SKIPPED_STEPS, sgd(model), clip_grad=1.0)
    assert_same(weights(model), before, rtol=0, atol=0)
    assert (report.steps, report.skipped, report.skipped_in_a_row) == (5, 5, 5)
    handle.remove()
    report = train(model, [batch_of((1, 2))], sgd(model), clip_grad=1.0)
    assert report.skipped == 0 and all(torch.isfinite(value).all() for value in weights(model).values())


def test_too_many_of_them_in_a_row_name_the_clips():
    model = tiny_bmvit()
    poison(model)
    with pytest.raises(FloatingPointError) as error:
        train(model, [batch_of((1, 2), first=40)] * (MAX_SKIPPED_STEPS + 1), sgd(model))
    for part in (
        "the gradient was not finite in 6 steps in a row (norm nan)",
        "video at 40, video at 41",
        "heads x1: 1.00e-01",
        "SOLVER.BASE_LR",
        "SOLVER.CLIP_GRAD_L2NORM",
    ):
        assert part in str(error.value)


def test_outputs_that_are_not_finite_skip_the_step_and_are_not_averaged_into_the_log():
    """NaN in one forward pass is not the end of the run: the step is skipped like one with a gradient of NaN."""
    model, skips, logged = tiny_bmvit(), [], []
    weight = model.heads.box[-1].weight
    good = weight.detach().clone()

    def log(step, factor, meter, watch):
        logged.append(meter.means_and_reset())
        with torch.no_grad():
            weight.copy_(good * float("nan") if step == 0 else good)

    report = train(
        model,
        [batch_of((1, 2), first=40)] * 3,
        sgd(model, lr=1e-6),
        on_step=log,
        saving=Saving(Requests(), skip=lambda step, report: skips.append((step, report.last_skipped))),
    )
    assert (report.skipped, report.skipped_in_a_row) == (1, 0) and skips == [(1, ["video at 40", "video at 41"])]
    assert logged[1] == {} and logged[0] and logged[2]["total"] == pytest.approx(logged[0]["total"], rel=1e-3)
    assert "matching cost is NaN or infinite" in report.not_finite[0] and "video at 40" in report.not_finite[0]


def test_a_run_ends_where_too_little_can_be_read():
    """Here every second clip is lost: half of an epoch is too much at 0.4, and at 0.5 it is not."""

    def epoch(max_unreadable, batches):
        plan = EpochPlan(0, len(batches), clips=2, max_unreadable=max_unreadable)
        return train(tiny_bmvit(), batches, sgd(tiny_bmvit()), plan=plan)

    lossy = [batch_of((1, 1)), unreadable_batch()] * 5
    assert epoch(0.5, lossy).missing == 10
    with pytest.raises(
        UnreadableDataError, match=r"10 clips of this epoch could not be read.*MAX_UNREADABLE.*\n  - "
    ) as error:
        epoch(0.4, lossy)
    assert LOST.reason in str(error.value) and "its checkpoints are untouched" in str(error.value)
    with pytest.raises(UnreadableDataError, match="no clip could be read in 21 steps in a row"):
        epoch(1.0, [unreadable_batch()] * 25)


def test_one_good_step_between_starts_the_count_again():
    model = tiny_bmvit()
    calls = []
    model.heads.action[-1].weight.register_hook(
        lambda grad: calls.append(1) or (grad * float("nan") if len(calls) % 4 else grad)
    )
    report = train(model, [batch_of((1,))] * 12, sgd(model, lr=1e-3))
    assert (report.steps, report.skipped, report.skipped_in_a_row) == (12, 9, 0)


def test_the_gradient_is_clipped_to_its_norm():
    free, short = after(batch_of((2,)), lr=1.0), after(batch_of((2,)), lr=1.0, clip_grad=0.01)
    start = weights(tiny_bmvit())

    def length(end):
        return torch.sqrt(sum(((end[name] - start[name]) ** 2).sum() for name in start)).item()

    assert length(free) > 0.1
    assert length(short) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("norm", [0.0, 1e-4], ids=["alone", "wins over the norm"])
def test_every_number_of_the_gradient_is_clipped(norm):
    free, cut = after(batch_of((2,)), lr=1.0), after(batch_of((2,)), lr=1.0, clip_value=0.01, clip_grad=norm)
    start = weights(tiny_bmvit())
    expected = {name: start[name] + (free[name] - start[name]).clamp(-0.01, 0.01) for name in start}
    assert_same(cut, expected, rtol=0, atol=1e-6)
    moves = torch.cat([(free[name] - start[name]).flatten().abs() for name in start])
    assert (moves > 0.011).sum() > 10 and ((moves > 1e-3) & (moves < 0.009)).sum() > 10


def test_the_gradient_is_clipped_by_value_after_unscaling():
    cut = after(batch_of((2,)), lr=1.0, clip_value=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    assert_same(after(batch_of((2,)), lr=1.0, clip_value=0.01, scaler=scaler), cut, rtol=0, atol=1e-6)


@pytest.mark.parametrize("poisoned", [float("nan"), float("inf")])
def test_clipping_by_value_does_not_hide_a_gradient_that_is_not_finite(poisoned):
    model = tiny_bmvit()
    before = weights(model)
    model.heads.action[-1].weight.register_hook(lambda grad: torch.full_like(grad, poisoned))
    report = train(model, [batch_of((1, 2))] * 2, sgd(model), clip_value=0.01)
    assert_same(weights(model), before, rtol=0, atol=0)
    assert (report.steps, report.skipped) == (2, 2)


def test_rates_follow_the_schedule_within_the_epoch():
    model = tiny_bmvit()
    optimizer, seen = sgd(model, lr=0.1), []
    train(
        model,
        [batch_of((1,))] * 4,
        optimizer,
        epoch=2,
        schedule=Schedule(lambda epoch: epoch / 10),
        on_step=lambda step, factor, meter, watch: seen.append((step, factor, optimizer.param_groups[0]["lr"])),
    )
    assert [step for step, _, _ in seen] == [0, 1, 2, 3]
    assert [factor for _, factor, _ in seen] == pytest.approx([0.2, 0.225, 0.25, 0.275])
    assert [lr for _, _, lr in seen] == pytest.approx([0.02, 0.0225, 0.025, 0.0275])


def test_what_is_logged_is_the_loss_of_the_step():
    logged = []

    def note(step, factor, meter, watch):
        logged.append(meter.means_and_reset())

    after(batch_of((2, 1)), on_step=note)
    after(batch_of((2,)), batch_of((1,), first=1), accumulate=2, on_step=note)
    whole, halves = logged
    weighted = criterion().weights
    assert whole["total"] == pytest.approx(sum(weighted[name] * whole[name] for name in weighted), rel=1e-5)
    assert {name: 2 * value for name, value in halves.items()} == pytest.approx(whole, rel=1e-4)


def test_the_average_follows_each_step():
    model = tiny_bmvit()
    start, average = weights(model), WeightAverage(model, decay=0.5)
    train(model, [batch_of((1,))], sgd(model), average=average)
    end = weights(model)
    assert_same(weights(average.average), {name: (start[name] + end[name]) / 2 for name in start})


def test_repeated_frames_are_counted_and_training_mode_is_set():
    model = tiny_bmvit().eval()
    report = train(model, [batch_of((1, 0), repeated=3), batch_of((1,))], sgd(model))
    assert (report.repeated_frames, report.unreadable, model.training) == (6, [], True)


def test_mixed_precision_trains_float32_weights():
    found = after(batch_of((2, 1)), precision="bf16")
    assert {value.dtype for value in found.values()} == {torch.float32}
    plain = after(batch_of((2, 1)))
    assert any(not torch.equal(found[name], plain[name]) for name in plain)
    start = weights(tiny_bmvit())
    update = torch.cat([(plain[name] - start[name]).flatten() for name in plain])
    error = torch.cat([(found[name] - plain[name]).flatten() for name in plain])
    assert error.norm() < 0.3 * update.norm()  # bf16 keeps 8 bits; a wrong gradient would be off by its own size
