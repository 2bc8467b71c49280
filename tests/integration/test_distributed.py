"""1, 2 and 3 processes are one run: the same first-step gradient, exactly the same mAP. On the CPU with gloo."""

import pytest
import torch

WORKER = "tests/integration/step_worker.py"
NO_CHANCE = ["MVIT.DROPPATH_RATE", "0", "SOLVER.CLIP_GRAD_L2NORM", "0", "TRAIN.CHECKPOINT_FILE_PATH", ""]


@pytest.fixture(scope="module")
def results() -> dict:
    return {}


def run_with(results, run_tool, toy_config, overrides, tmp_path, *, processes: int, accumulate: int = 1) -> dict:
    key = (processes, accumulate)
    if key not in results:
        out = tmp_path / "result.pt"
        changes = [*overrides, *NO_CHANCE, "TRAIN.GRAD_ACCUM_STEPS", str(accumulate)]
        run_tool(WORKER, toy_config, str(out), *changes, processes=processes)
        results[key] = torch.load(out, weights_only=True)
    return results[key]


@pytest.mark.parametrize(("processes", "accumulate"), [(2, 1), (3, 1), (1, 3)])
def test_gradient_and_map_do_not_depend_on_processes_or_accumulation(
    results, run_tool, toy_config, overrides, tmp_path, processes, accumulate
):
    one = run_with(results, run_tool, toy_config, overrides, tmp_path, processes=1)
    many = run_with(results, run_tool, toy_config, overrides, tmp_path, processes=processes, accumulate=accumulate)
    # The worker evaluates the training split: 14 key frames (13 when one is excluded), which 3 does not divide.
    assert one["clips"] == many["clips"] and one["clips"] % 3 != 0
    assert one["summary"] == many["summary"]
    assert set(one["gradients"]) == set(many["gradients"])
    scale = max(gradient.abs().max() for gradient in one["gradients"].values())
    for name, gradient in one["gradients"].items():
        assert (gradient - many["gradients"][name]).abs().max() <= 1e-5 * scale, name
