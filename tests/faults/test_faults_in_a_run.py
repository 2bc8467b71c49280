"""What goes wrong while a run is at work, and what is left of it then."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from slowfast.datasets.clips.key_frame_clips import SecondClock
from slowfast.models.detection.bmvit import BMViT
from slowfast.utils.logging import JsonLog
from slowfast.video.source import ClipReadError
from slowfast.weights.checkpoint import Checkpointer

ONE_EPOCH = [*("SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0.5", "TRAIN.CHECKPOINT_PERIOD", "1")]


@pytest.fixture
def train(run_main, toy_config, overrides):
    def train(*more: str, expect: int = 0):
        return run_main("tools/run_net.py", "--cfg", toy_config, *overrides, *ONE_EPOCH, *more, expect=expect)

    return train


def checkpoints(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "run/checkpoints").glob("checkpoint_*"))


def test_videos_that_vanish_during_a_run_end_it(train, tmp_path, monkeypatch):
    """12 steps of one clip; from the third on there is nothing to read. Half of an epoch may be lost, and no more."""
    real, read, readable = SecondClock.read, [], 4  # two of them tried before the run starts

    def gone(self, pixels, video, *where):
        read.append(video)
        if len(read) > readable:
            raise ClipReadError(video, None, "the folder is gone")
        return real(self, pixels, video, *where)

    monkeypatch.setattr(SecondClock, "read", gone)
    options = ("TRAIN.BATCH_SIZE", "1", "TRAIN.CHECKPOINT_STEPS", "2", "SOLVER.MAX_EPOCH", "2")
    done = train(*options, expect=1)
    assert "7 clips of this epoch could not be read" in done.stderr and "the folder is gone" in done.stderr
    assert "DATA.MAX_UNREADABLE" in done.stderr and len(read) <= 14
    assert checkpoints(tmp_path)[-1] == "checkpoint_epoch_00000_step_000008.pyth"
    # A test of what cannot be read is no number either, whether it shows before or after it has begun.
    weights = str(tmp_path / "run/checkpoints" / checkpoints(tmp_path)[-1])
    other = ("OUTPUT_DIR", str(tmp_path / "test"), "TRAIN.ENABLE", "False", "TEST.CHECKPOINT_FILE_PATH", weights)
    assert "test: none of 2 clips that were tried, of 2, can be read" in train(*other, expect=1).stderr
    readable = len(read) + 1
    told = train(*other, expect=1).stderr
    assert "testing: 2 clips could not be read and 0 could; a number of so few is none" in told


def test_outputs_of_nan_are_no_result(train, tmp_path, monkeypatch):
    real = BMViT.forward

    def broken(self, *arguments):
        made = real(self, *arguments)
        if not self.training:
            made.boxes.mul_(float("nan"))
        return made

    monkeypatch.setattr(BMViT, "forward", broken)
    done = train("TRAIN.EVAL_PERIOD", "1", expect=1)
    assert "evaluating epoch 1: the outputs of the model are not finite" in done.stderr
    assert checkpoints(tmp_path) == ["checkpoint_epoch_00001.pyth"]  # the epoch was saved before
    assert not (tmp_path / "run/metrics.json").exists()


def test_a_step_of_nan_is_skipped_and_can_be_run_again(train, run_main, tmp_path, monkeypatch):
    real, calls = BMViT.forward, []

    def broken(self, *arguments):
        made = real(self, *arguments)
        if self.training and not calls:
            calls.append(True)
            made.boxes.data[0, 0] = float("nan")
        return made

    with monkeypatch.context() as patch:
        patch.setattr(BMViT, "forward", broken)
        done = train("TEST.ENABLE", "False")
    left = tmp_path / "run/skipped/epoch_00000_step_000000.json"
    assert f"tools/replay_step.py {Path('run') / 'skipped' / left.name}" in done.stdout.replace(f"{tmp_path}/", "")
    assert "1 of 2 steps were skipped: their gradient was not finite" in done.stdout
    told = json.loads(left.read_text())
    assert len(told["clips"]) == 6 and "matching cost is NaN or infinite" in told["reasons"][0]
    again = run_main("tools/replay_step.py", str(left)).stdout
    assert all(clip in again for clip in told["clips"]) and "losses: " in again and "not finite" not in again
    weights = left.with_suffix(".pyth")
    content = torch.load(weights, weights_only=True)
    content["model_state"]["heads.box.0.weight"][:] = 1e38
    torch.save(content, weights)
    assert "numbers are not finite" in run_main("tools/replay_step.py", str(left)).stdout


def test_a_log_that_cannot_be_written_does_not_end_the_run(train, tmp_path, monkeypatch):
    def full(self, *arguments, **values):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(JsonLog, "write", full)
    done = train("TEST.ENABLE", "False")
    assert done.stdout.count("the log of numbers cannot be written") == 1
    assert checkpoints(tmp_path) == ["checkpoint_epoch_00001.pyth"]


def test_two_runs_in_one_folder(train, tmp_path):
    """The second is refused while the first is alive; what a killed one left is taken over."""
    (tmp_path / "run").mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", "import fcntl, sys; f = open(sys.argv[1], 'a+'); fcntl.flock(f, fcntl.LOCK_EX); "
         "f.write('{\"host\": \"there\", \"pid\": 7, \"start\": \"now\"}'); f.flush(); print('held', flush=True); input()",
         str(tmp_path / "run/.lock")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout.readline() == "held\n"
        refused = train(expect=1).stderr
        assert "another run is at work in" in refused and "process 7 on there, started now" in refused
        assert not (tmp_path / "run/checkpoints").exists()
    finally:
        holder.kill()
        holder.communicate()
    done = train("TEST.ENABLE", "False")
    assert (
        "was left by a run that did not end by itself (process 7 on there, started now); it is taken over"
        in done.stdout
    )
    assert (tmp_path / "run/.lock").read_text() == ""


def test_a_time_limit(train, tmp_path):
    stopped = train("TRAIN.TIME_LIMIT", "1e-6", expect=75)
    assert "TRAIN.TIME_LIMIT, 1e-06 minutes, is over; the run is saved in" in stopped.stderr
    assert checkpoints(tmp_path) == ["checkpoint_epoch_00000_step_000001.pyth"]


def test_which_checkpoints_are_whole_is_told(run_main, tmp_path):
    kept = Checkpointer(tmp_path, keep=9)
    for epoch in (1, 2, 3):
        kept.save(epoch, {"model_state": {"weight": torch.ones(3)}})
    kept.path(3).write_bytes(kept.path(3).read_bytes()[:-9])
    kept.save(2, {"model_state": {"weight": torch.full((3,), float("inf"))}}, step=7)
    told = run_main("tools/verify_checkpoint.py", str(tmp_path), expect=1).stdout
    assert "checkpoint_epoch_00001.pyth: after epoch 1, whole and finite, its checksum is right" in told
    assert "checkpoint_epoch_00003.pyth: NOT usable" in told
    assert "step_000007.pyth: NOT usable, model_state.weight holds numbers that are not finite" in told
    assert "a run would go on from checkpoint_epoch_00002.pyth" in told
    assert "does not exist" in run_main("tools/verify_checkpoint.py", str(tmp_path / "no.pyth"), expect=1).stderr
