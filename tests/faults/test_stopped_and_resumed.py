"""A run that is stopped anywhere goes on as if it had not been: weights, averages, optimiser, losses, evaluations."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from slowfast.engine.device.requests import STOPPED_EXIT_CODE
from slowfast.engine.record.step_log import StepLog
from slowfast.engine.test import evaluate as real_evaluate
from slowfast.structures.tensors import tensors_in

# Drop path makes the training itself random; three steps are logged together, so that a stop falls between two records.
COMMON = [
    *("TRAIN.BATCH_SIZE", "4", "TRAIN.GRAD_ACCUM_STEPS", "2", "SOLVER.MAX_EPOCH", "2", "SOLVER.WARMUP_EPOCHS", "0.5"),
    *("MVIT.DROPPATH_RATE", "0.3", "SOLVER.EMA_DECAY", "0.9", "LOG_PERIOD", "3", "TEST.ENABLE", "False"),
    *("TRAIN.EVAL_PERIOD", "1", "TRAIN.CHECKPOINT_PERIOD", "1"),
]
MEASURED = ("seconds_per_step", "data_seconds", "clips_per_second", "data_share", "memory_gib", "seconds_left", "time")


def last(run: Path) -> dict:
    return torch.load(run / "checkpoints/checkpoint_epoch_00002.pyth", weights_only=True)


def numbers(run: Path) -> list[dict]:
    """The log without what was measured in seconds."""
    lines = (run / "log.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in MEASURED} for line in lines]


def same(left: dict, right: dict) -> bool:
    pairs = zip(tensors_in(left), tensors_in(right), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.fixture
def run_until(run_main, toy_config, on_toy_data, tmp_path, monkeypatch):
    """Run the small training in tmp_path/NAME; with `steps`, SIGUSR1 comes after that many of this process."""

    def run(name: str, *, steps: int = 0, at: str = "step"):
        arguments = ["--cfg", toy_config, *on_toy_data, *COMMON, "OUTPUT_DIR", str(tmp_path / name)]
        with monkeypatch.context() as patch:
            if steps:
                send_after(patch, steps, at)
            return run_main("tools/run_net.py", *arguments, expect=STOPPED_EXIT_CODE if steps else 0)

    return run


def send_after(patch: pytest.MonkeyPatch, steps: int, at: str) -> None:
    left, real = [steps], StepLog.__call__

    def counted(self, *arguments):
        real(self, *arguments)
        left[0] -= 1
        if not left[0] and at == "step":
            os.kill(os.getpid(), signal.SIGUSR1)

    def interrupted(*arguments, **options):
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return real_evaluate(*arguments, **options)

    patch.setattr(StepLog, "__call__", counted)
    if at == "evaluation":
        patch.setattr("slowfast.engine.train.evaluate", interrupted)


def test_stopped_anywhere_and_bit_for_bit_the_same(run_until, tmp_path):
    run_until("straight")
    straight = last(tmp_path / "straight")
    assert [record["step"] for record in numbers(tmp_path / "straight") if record["kind"] == "train"] == [3, 6]

    first = run_until("stopped", steps=1)
    assert (
        "stopped: SIGUSR1 came; the run is saved in" in first.stderr and "_epoch_00000_step_000002.pyth" in first.stderr
    )
    second = run_until("stopped", steps=1)  # in the first epoch's last step: that epoch is saved whole
    assert "going on after epoch 0 and 2 steps" in second.stdout
    assert "checkpoint_epoch_00001.pyth" in second.stderr
    assert [record["kind"] for record in numbers(tmp_path / "stopped")] == ["train"]  # it has not been evaluated yet
    third = run_until("stopped", steps=1)
    assert "evaluating" not in first.stdout and "epoch 1: mAP" in third.stdout
    done = run_until("stopped")
    assert "going on after epoch 1 and" in done.stdout
    assert same(straight, last(tmp_path / "stopped")) and straight["best"] == last(tmp_path / "stopped")["best"]
    assert numbers(tmp_path / "straight") == numbers(tmp_path / "stopped")
    left = {path.name for path in (tmp_path / "stopped/checkpoints").iterdir()}
    assert left == {"checkpoint_epoch_00001.pyth", "checkpoint_epoch_00002.pyth", "best.pyth", "evaluated.json"}


def test_a_stop_during_an_evaluation_loses_nothing(run_until, tmp_path):
    stopped = run_until("run", steps=3, at="evaluation")
    assert "SIGTERM came; the run is saved in" in stopped.stderr and "checkpoint_epoch_00001.pyth" in stopped.stderr
    again = run_until("run")
    assert "going on after epoch 1 from" in again.stdout
    assert [record["epoch"] for record in numbers(tmp_path / "run") if record["kind"] == "eval"] == [1, 2]


def test_what_was_logged_after_the_checkpoint_is_taken_out_of_the_log(run_until, tmp_path):
    run_until("straight")
    shutil.copytree(tmp_path / "straight", tmp_path / "again")
    (tmp_path / "again/checkpoints/checkpoint_epoch_00002.pyth").unlink()
    with (tmp_path / "again/log.jsonl").open("a") as log:
        log.write('{"kind": "train", "step": 7, "lo')  # killed while it wrote
    done = run_until("again")
    assert "3 records of log.jsonl are taken out: what they tell of is done again" in done.stdout
    assert numbers(tmp_path / "again") == numbers(tmp_path / "straight")
    assert same(last(tmp_path / "straight"), last(tmp_path / "again"))


def test_a_run_goes_on_on_another_number_of_processes(run_main, run_tool, toy_config, on_toy_data, tmp_path):
    """The same clips once each, with the same augmentation: the loss curve of one process, in two from the second step on."""
    common = [*on_toy_data, *COMMON, "MVIT.DROPPATH_RATE", "0", "SOLVER.MAX_EPOCH", "1", "LOG_PERIOD", "1"]
    arguments = ["--cfg", toy_config, *common]
    run_main("tools/run_net.py", *arguments, "OUTPUT_DIR", str(tmp_path / "one"))
    limit = ["TRAIN.TIME_LIMIT", "1e-6", "OUTPUT_DIR", str(tmp_path / "two")]
    run_main("tools/run_net.py", *arguments, *limit, expect=STOPPED_EXIT_CODE)
    done = run_tool("tools/run_net.py", *arguments, "OUTPUT_DIR", str(tmp_path / "two"), processes=2)
    assert "going on after epoch 0 and 1 steps" in done.stdout
    one, two = (numbers(tmp_path / name) for name in ("one", "two"))
    assert [record["kind"] for record in one] == [record["kind"] for record in two] == ["train"] * 3 + ["eval"]
    for left, right in zip(one[:3], two[:3], strict=True):
        assert right["loss"] == pytest.approx(left["loss"], rel=1e-6)
    path = "checkpoints/checkpoint_epoch_00001.pyth"
    # AdamW turns the last digit of a small gradient into more than that of a weight.
    ends = [torch.load(tmp_path / name / path, weights_only=True)["model_state"] for name in ("one", "two")]
    for name, value in ends[0].items():
        torch.testing.assert_close(ends[1][name], value, rtol=1e-3, atol=2e-5)
