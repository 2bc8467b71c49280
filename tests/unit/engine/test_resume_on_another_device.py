"""A run may go on where its optimiser runs other kernels: on a GPU after a CPU, or the other way round."""

from types import SimpleNamespace

import pytest
import torch

from slowfast.engine.run_state import RunState


def optimizer(fused: bool | None) -> torch.optim.AdamW:
    parameter = torch.nn.Parameter(torch.ones(3))
    group = {"params": [parameter], "name": "all", "base_lr": 1e-3}
    made = torch.optim.AdamW([group], lr=1e-3, fused=fused)
    parameter.grad = torch.ones(3)
    made.step()
    return made


@pytest.mark.parametrize(("then", "now"), [(None, True), (True, None)])
def test_moments_are_restored_for_the_kernels_of_this_run(monkeypatch, then, now):
    """torch puts the step counts where the kernels named by `fused` read them, so it must know before it loads."""
    saved, current, seen = optimizer(then).state_dict(), optimizer(now), []
    load = torch.optim.AdamW.load_state_dict
    monkeypatch.setattr(
        torch.optim.AdamW,
        "load_state_dict",
        lambda self, state: seen.append(state["param_groups"][0]["fused"]) or load(self, state),
    )
    RunState._restore_optimizer(SimpleNamespace(optimizer=current), saved)
    assert seen == [now] and current.param_groups[0]["fused"] == now
    (state,) = current.state.values()
    assert state["step"] == 1 and torch.equal(state["exp_avg"], torch.full((3,), 0.1))
