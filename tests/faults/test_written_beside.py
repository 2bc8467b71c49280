"""Checkpoints are written while training goes on: what is in them, what is waited for, and what goes wrong meanwhile."""

import errno
import re
import threading
import time
from pathlib import Path

import pytest
import torch

from slowfast.engine.device.requests import StoppedError
from slowfast.engine.record.background import BackgroundWriter
from slowfast.utils.files import FileWriteError
from slowfast.utils.processes.shards import whole
from slowfast.weights import checkpoint
from slowfast.weights.checkpoint import Checkpointer

SHORT = [
    *("TRAIN.BATCH_SIZE", "3", "SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0.5", "TRAIN.CHECKPOINT_STEPS", "1"),
    *("TEST.ENABLE", "False", "TRAIN.EVAL_PERIOD", "1"),
]


@pytest.fixture
def train(run_main, toy_config, overrides):
    def train(*more: str, expect: int = 0):
        return run_main("tools/run_net.py", "--cfg", toy_config, *overrides, *SHORT, *more, expect=expect)

    return train


def test_a_copy_does_not_change_with_what_it_was_made_of():
    model = torch.nn.Linear(2, 2)
    seen = ["a"]
    copy = whole({"model_state": model.state_dict(), "so_far": {"seen": seen}, "pair": (torch.zeros(1), 2)})
    before = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.add_(1)
    seen.append("b")
    assert torch.equal(copy["model_state"]["weight"], before) and copy["so_far"] == {"seen": ["a"]}
    assert copy["pair"][1] == 2


def test_one_file_at_a_time_and_errors_where_the_next_begins():
    done, go = [], threading.Event()

    def slow() -> None:
        go.wait(5)
        done.append("slow")

    def full() -> None:
        raise FileWriteError("could not write here.pyth: no space")

    with pytest.raises(FileWriteError, match=r"here.pyth"), BackgroundWriter() as writer:
        writer.start(slow)
        assert not done
        go.set()
        writer.start(lambda: done.append("next"))  # waits for the one before
        assert done[0] == "slow"
        writer.start(full)
        writer.start(lambda: done.append("never"))
    assert done == ["slow", "next"]
    with pytest.raises(FileWriteError), BackgroundWriter() as writer:  # at the end too
        writer.start(full)
    with pytest.raises(FileWriteError), BackgroundWriter() as writer:  # who was stopped is not told that all is saved
        writer.start(full)
        raise StoppedError("saved")
    with pytest.raises(FloatingPointError), BackgroundWriter() as writer:  # what ended the run is told
        writer.start(full)
        raise FloatingPointError
    assert "never" not in done


def test_training_goes_on_while_a_checkpoint_is_written(train, tmp_path, monkeypatch):
    """Writing takes half a second ; a save waits for the one before."""
    real, threads = Checkpointer.save, set()

    def slow(self, *arguments, **options):
        threads.add(threading.current_thread().name)
        time.sleep(0.5)
        return real(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpointer, "save", slow)
        done = train()
    assert all(name.startswith("writing a checkpoint") for name in threads)
    told = re.findall(r"saved .*: training stood still for (\S+) s, (\S+) % .* written in (\S+) s", done.stdout)
    assert len(told) == 4 and all(float(written) >= 0.5 for _, _, written in told)
    assert all(0 <= float(share) <= 100 for _, share, _ in told) and float(told[0][0]) < 0.3
    left = sorted(path.name for path in (tmp_path / "run/checkpoints").glob("checkpoint_*"))
    assert left == ["checkpoint_epoch_00001.pyth"]  # all was written before the run ended, in order


def test_a_disk_that_is_full_in_the_background_ends_the_run(train, tmp_path, monkeypatch):
    real, written = checkpoint.save_sealed, []

    def full_from_the_second_on(content, file):
        written.append(content["step"])
        if len(written) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(content, file)

    monkeypatch.setattr(checkpoint, "save_sealed", full_from_the_second_on)
    done = train(expect=1)
    second = Path("checkpoints/checkpoint_epoch_00000_step_000002.pyth")
    assert f"could not write {tmp_path / 'run' / second}: [Errno 28]" in done.stderr and written == [1, 2]
    assert "older checkpoints are untouched" in done.stderr
    left = [path.name for path in (tmp_path / "run/checkpoints").glob("checkpoint_*")]
    assert left == ["checkpoint_epoch_00000_step_000001.pyth"]


def test_in_parts_a_run_goes_on_too(train, tmp_path):
    stopped = train("TRAIN.SHARDED_CHECKPOINTS", "True", "TRAIN.TIME_LIMIT", "1e-6", expect=75)
    assert "checkpoint_epoch_00000_step_000001.distcp" in stopped.stderr
    again = train("TRAIN.CHECKPOINT_STEPS", "0")
    assert "going on after epoch 0 and 1 steps from" in again.stdout and "step_000001.distcp" in again.stdout
    train("TRAIN.CHECKPOINT_STEPS", "0", "OUTPUT_DIR", str(tmp_path / "straight"))
    ends = [
        torch.load(tmp_path / name / "checkpoints/checkpoint_epoch_00001.pyth", weights_only=True)["model_state"]
        for name in ("run", "straight")
    ]
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
