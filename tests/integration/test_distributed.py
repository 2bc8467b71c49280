"""1, 2 and 3 processes are one run: the same first-step gradient, exactly the same mAP. On the CPU with gloo."""

from collections.abc import Callable

import pytest
import torch

from tests.integration.small_classifiers import SMALL, data_of
from tests.rules.sources import ROOT

WORKER = "tests/integration/step_worker.py"
NO_CHANCE = ["MVIT.DROPPATH_RATE", "0", "SOLVER.CLIP_GRAD_L2NORM", "0", "TRAIN.CHECKPOINT_FILE_PATH", ""]


@pytest.fixture(scope="module")
def results() -> dict:
    return {}


@pytest.fixture
def run_with(results, run_main, toy_config, overrides, tmp_path) -> Callable[..., dict]:
    def run(*, processes: int, accumulate: int = 1) -> dict:
        key = (processes, accumulate)
        if key not in results:
            out = tmp_path / "result.pt"
            arguments = [toy_config, str(out), *overrides, *NO_CHANCE, "TRAIN.GRAD_ACCUM_STEPS", str(accumulate)]
            run_main(
                WORKER, *arguments, processes=0 if processes == 1 else processes
            )  # one: right here, as launch does
            results[key] = torch.load(out, weights_only=True)
        return results[key]

    return run


@pytest.mark.parametrize(("processes", "accumulate"), [(2, 1), (3, 1), (1, 3)])
def test_gradient_and_map_do_not_depend_on_processes_or_accumulation(run_with, processes, accumulate):
    one, many = run_with(processes=1), run_with(processes=processes, accumulate=accumulate)
    # The worker evaluates the training split: 14 key frames (13 when one is excluded), which 3 does not divide.
    assert one["clips"] == many["clips"] and one["clips"] % 3 != 0
    assert one["summary"] == many["summary"]
    assert set(one["gradients"]) == set(many["gradients"])
    scale = max(gradient.abs().max() for gradient in one["gradients"].values())
    for name, gradient in one["gradients"].items():
        assert (gradient - many["gradients"][name]).abs().max() <= 1e-5 * scale, name


def test_gradient_of_a_classifier_does_not_depend_on_processes(run_main, small_sets, tmp_path):
    """Of a step with repeats, RandAugment, erasing, mixup or cutmix, and of every video's scores."""
    config = ROOT / "configs/Kinetics/MVITv2_S_16x4.yaml"
    arguments = [*SMALL, *data_of(config, small_sets), *NO_CHANCE, "MODEL.DROPOUT_RATE", "0", "TRAIN.BATCH_SIZE", "4"]
    outcomes = []
    for processes in (0, 2):
        out = tmp_path / f"{processes}.pt"
        line = [str(config), str(out), *arguments, "AUG.RE_PROB", "1"]
        run_main(WORKER, *line, processes=processes)
        outcomes.append(torch.load(out, weights_only=True))
    one, two = outcomes
    assert one["clips"] == two["clips"] == 4 * 5 and one["summary"] == two["summary"]
    scale = max(gradient.abs().max() for gradient in one["gradients"].values())
    assert scale > 0
    for name, gradient in one["gradients"].items():
        assert (gradient - two["gradients"][name]).abs().max() <= 1e-5 * scale, name
