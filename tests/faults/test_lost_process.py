"""Processes of torchrun: one that is lost, Ctrl-C and SIGTERM while they test."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from slowfast.structures.tensors import tensors_in

RUN = [
    *("TRAIN.BATCH_SIZE", "4", "SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0.5", "TRAIN.CHECKPOINT_PERIOD", "1"),
    *("TRAIN.CHECKPOINT_STEPS", "1", "MVIT.DROPPATH_RATE", "0.3", "SOLVER.EMA_DECAY", "0.9", "TEST.ENABLE", "False"),
    *("TRAIN.EVAL_PERIOD", "1", "COLLECTIVE_TIMEOUT", "120"),
]  # fmt: skip


def torchrun(script: Path, arguments: list[str], cwd: Path, *options: str) -> subprocess.Popen:
    """Two processes on the CPU, all that they print in one pipe."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", *options),
            *(str(script), *arguments),
        ],
        cwd=cwd, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_a_run_starts_again_by_itself_after_a_lost_process(repo_root, toy_config, on_toy_data, tmp_path, parallel):
    """torchrun --max-restarts: from the newest checkpoint on, and bit for bit the end of the undisturbed run."""
    arguments = ["--cfg", toy_config, *on_toy_data, *RUN, "TRAIN.PARALLEL", parallel]
    arguments += ["TRAIN.SHARDED_CHECKPOINTS", str(parallel == "fsdp")]
    script, marker = repo_root / "tests/faults/dies_once.py", tmp_path / "died"
    printed = {}
    for name in ("disturbed", "straight"):  # the marker is there for the second
        run = torchrun(
            script, [str(marker), *arguments, "OUTPUT_DIR", str(tmp_path / name)], tmp_path, "--max-restarts=1"
        )
        printed[name] = run.communicate(timeout=400)[0]
        assert run.returncode == 0, printed[name]
    assert marker.exists() and "going on after epoch 0 and" in printed["disturbed"]
    assert "going on after" not in printed["straight"]
    ending = "distcp" if parallel == "fsdp" else "pyth"
    from slowfast.weights.checkpoint import read_checkpoint

    ends = [read_checkpoint(tmp_path / name / f"checkpoints/checkpoint_epoch_00001.{ending}") for name in printed]
    left, right = (dict(tensors_in(end)) for end in ends)
    assert left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_two_processes_are_interrupted_while_they_test(repo_root, toy_config, on_toy_data, run_main, tmp_path, number):
    """Ctrl-C reaches all processes of the terminal: each says one line; SIGTERM ends them. torchrun adds its own traceback."""
    common = ["--cfg", toy_config, *on_toy_data]
    quick = ["OUTPUT_DIR", str(tmp_path / "run"), *RUN, "TRAIN.EVAL_PERIOD", "9", "TRAIN.CHECKPOINT_STEPS", "0"]
    run_main("tools/run_net.py", *common, *quick)
    weights = str(tmp_path / "run/checkpoints/checkpoint_epoch_00001.pyth")
    test = [
        "TRAIN.ENABLE",
        "False",
        "TEST.ENABLE",
        "True",
        "TEST.CHECKPOINT_FILE_PATH",
        weights,
        "COLLECTIVE_TIMEOUT",
        "120",
    ]
    script, started = repo_root / "tests/faults/tests_slowly.py", tmp_path / "testing"
    run = torchrun(script, [str(started), *common, *test, "OUTPUT_DIR", str(tmp_path / "test")], tmp_path)
    until = time.monotonic() + 200
    while len(list(tmp_path.glob("testing*"))) < 2 and run.poll() is None and time.monotonic() < until:
        time.sleep(0.2)
    if number == signal.SIGINT:
        os.killpg(run.pid, number)
    else:
        run.send_signal(number)
    printed = run.communicate(timeout=200)[0]
    assert run.returncode == 1, printed
    own, torchruns = printed.partition("torch.distributed.elastic.multiprocessing.api.SignalException")[::2]
    assert torchruns and not (tmp_path / "test/metrics.json").exists()
    assert len(re.findall("^interrupted", own, re.MULTILINE)) == (2 if number == signal.SIGINT else 0), printed
    assert "Traceback" not in own.rpartition("Traceback")[0], printed  # the last one is torchrun's
