"""slowfast.engine.run_state: what a checkpoint holds, files of earlier versions, and the loss scale of float16."""

import pytest
import torch

from slowfast.config import load_cfg
from slowfast.engine.run_state import RunState
from slowfast.engine.updates import MAX_SKIPPED_STEPS_SCALED
from tests.unit.engine.one_step import batch_of, sgd, train
from tests.unit.models.tiny import tiny_bmvit

CPU = torch.device("cpu")


@pytest.fixture
def cfg_of(repo_root):
    small = ["MVIT.EMBED_DIM", "8", "MVIT.DEPTH", "1", "MVIT.POOL_Q_STRIDE", "[]", "MVIT.DIM_MUL", "[]"]
    small += ["MVIT.HEAD_MUL", "[]"]
    return lambda *overrides: load_cfg(repo_root / "configs/Toy/BMViT_toy.yaml", [*small, *overrides])


def moved(state: RunState) -> RunState:
    """After a step, so that optimiser and average have something to remember."""
    for parameter in state.model.parameters():
        parameter.grad = torch.full_like(parameter, 0.1)
    state.optimizer.step()
    if state.average is not None:
        state.average.update(state.model)
    state.epoch, state.best = 3, 0.25
    return state


def test_a_state_comes_back_whole(cfg_of):
    cfg = cfg_of("SOLVER.EMA_DECAY", "0.9", "MODEL.PRECISION", "fp16")
    before = moved(RunState.fresh(cfg, CPU))
    before.scaler.scale(torch.zeros(()))  # its scale is made when it is first asked for
    before.scaler.update(new_scale=1024.0)
    before.best_metric, before.since_best, before.skipped_in_a_row, before.so_far = "mAP", 2, 5, {"report": {}}
    after = RunState.fresh(cfg, CPU)
    after.load_state_dict(before.state_dict())
    assert (after.epoch, after.best, after.scaler.get_scale()) == (3, 0.25, 1024.0)
    assert (after.best_metric, after.since_best, after.skipped_in_a_row, after.so_far) == ("mAP", 2, 5, {"report": {}})
    for a, b in ((before.model, after.model), (before.average.average, after.average.average)):
        assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
    moments = [optimizer.state_dict()["state"][0]["exp_avg"] for optimizer in (before.optimizer, after.optimizer)]
    assert torch.equal(*moments) and moments[0].abs().sum() > 0


def test_a_file_of_version_0_1_names_the_best_value_otherwise(cfg_of):
    state = moved(RunState.fresh(cfg_of(), CPU)).state_dict()
    state["best_map"] = state.pop("best")
    after = RunState.fresh(cfg_of(), CPU)
    after.load_state_dict(state)
    assert after.best == 0.25


def test_a_run_may_go_on_in_another_precision(cfg_of):
    state = moved(RunState.fresh(cfg_of(), CPU)).state_dict()
    assert "scaler_state" not in state and "ema_state" not in state
    RunState.fresh(cfg_of("MODEL.PRECISION", "fp16"), CPU).load_state_dict(state)


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_float16_trains_as_float32_does():
    start, plain, half = (tiny_bmvit() for _ in range(3))
    # Of torch 2.6 some gradient on a CPU overflows with the 65536 that a run starts from, and a run halves it: next test.
    scaler = torch.amp.GradScaler("cpu", init_scale=4096.0)
    train(plain, [batch_of((2, 1))], sgd(plain))
    report = train(half, [batch_of((2, 1))], sgd(half), precision="fp16", scaler=scaler)
    assert report.skipped == 0 and scaler.get_scale() == 4096.0
    update, error = weights(plain) - weights(start), weights(half) - weights(plain)
    assert 0 < error.norm() < 0.05 * update.norm()  # float16 keeps 11 bits


def test_a_scale_that_is_too_large_is_halved_until_steps_are_taken():
    model, scaler = tiny_bmvit(), torch.amp.GradScaler("cpu", init_scale=2.0**30)
    before = weights(model)
    report = train(model, [batch_of((2, 1))] * 30, sgd(model, lr=1e-3), precision="fp16", scaler=scaler)
    assert 5 < report.skipped < MAX_SKIPPED_STEPS_SCALED and report.skipped_in_a_row == 0
    assert scaler.get_scale() == 2.0 ** (30 - report.skipped) and not torch.equal(weights(model), before)
    with pytest.raises(FloatingPointError, match=f"not finite in {MAX_SKIPPED_STEPS_SCALED + 1} steps in a row"):
        train(
            model,
            [batch_of((2, 1))] * 60,
            sgd(model),
            precision="fp16",
            scaler=torch.amp.GradScaler("cpu", init_scale=2.0**80),
        )
