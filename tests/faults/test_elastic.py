"""torchrun --nnodes=1:2: a machine is lost within an epoch, the other goes on alone, and a third one joins it later."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

RUN = [
    *("TRAIN.BATCH_SIZE", "4", "SOLVER.MAX_EPOCH", "16", "SOLVER.WARMUP_EPOCHS", "1", "TRAIN.CHECKPOINT_PERIOD", "1"),
    *("TRAIN.CHECKPOINT_STEPS", "1", "MVIT.DROPPATH_RATE", "0", "TEST.ENABLE", "False", "TRAIN.EVAL_PERIOD", "99"),
    *("COLLECTIVE_TIMEOUT", "60", "SOLVER.EMA_DECAY", "0.9"),
]  # fmt: skip
SECONDS = "0.3"  # that a step takes longer
# Of torchrun: how soon it notices that a machine is gone (3 x 1 s), and how long it waits for one more before it begins.
SOON = "keep_alive_interval=1,keep_alive_max_attempt=3,last_call_timeout=2"

# Else a machine that joins waits in vain for the address of torchrun's store, which is told in the first round only (torch 2.14).
OWN_STORE = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}


def children(pid: int) -> list[int]:
    """Of a process, from /proc."""
    return [
        int(number)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for number in (task / "children").read_text().split()
    ]


def lost(machine: subprocess.Popen) -> None:
    """As when its power is cut: what it has started dies with it."""
    for pid in (machine.pid, *children(machine.pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def until(true: Callable[[], object], seconds: float, why: Callable[[], str]) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, why()
        time.sleep(0.1)


@pytest.fixture
def start(tmp_path, repo_root) -> Iterator[Callable[..., subprocess.Popen]]:
    started: list[subprocess.Popen] = []

    def machine(port: int, *arguments: str) -> subprocess.Popen:
        with open(tmp_path / f"machine{len(started)}.txt", "w") as printed:
            started.append(
                subprocess.Popen(
                    [
                        *(sys.executable, "-m", "torch.distributed.run", "--nnodes=1:2", "--nproc_per_node=1", "--max-restarts=3"),
                        *("--rdzv-backend=c10d", "--rdzv-id=elastic", f"--rdzv-endpoint=127.0.0.1:{port}", f"--rdzv-conf={SOON}"),
                        *(str(repo_root / "tests/faults/trains_slowly.py"), SECONDS, *arguments),
                    ],
                    cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"} | OWN_STORE, stdout=printed, stderr=subprocess.STDOUT,
                )
            )  # fmt: skip
        return started[-1]

    yield machine
    for one in started:
        if one.poll() is None:
            lost(one)
        one.wait(timeout=30)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="it looks for processes in /proc")
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_a_machine_is_lost_and_another_joins(start, run_main, toy_config, on_toy_data, tmp_path, parallel):
    """The steps are those of one machine throughout, each is logged once, and what is lost is a step or two."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--cfg", toy_config, *on_toy_data, *RUN, "TRAIN.PARALLEL", parallel]
    arguments += ["TRAIN.SHARDED_CHECKPOINTS", str(parallel == "fsdp")]
    elastic = [*arguments, "OUTPUT_DIR", str(tmp_path / "elastic")]

    def printed() -> str:
        return "\n".join(path.read_text() for path in sorted(tmp_path.glob("machine*.txt")))

    def steps() -> int:
        log = tmp_path / "elastic/log.jsonl"
        return len([line for line in log.read_text().splitlines() if '"train"' in line]) if log.exists() else 0

    first = start(port, *elastic)
    until(lambda: "process(es) on cpu" in printed() or socket_taken(port), 60, printed)
    second = start(port, *elastic)
    until(lambda: "2 process(es) on cpu" in printed() and steps() >= 4, 120, printed)
    lost(second)
    at = steps()
    until(lambda: "going on after" in printed() and steps() >= at + 4, 120, printed)
    alone = printed()
    third = start(port, *elastic)
    until(lambda: printed().count("2 process(es) on cpu") > alone.count("2 process(es) on cpu"), 120, printed)
    assert first.wait(timeout=300) == 0 and third.wait(timeout=60) == 0, printed()
    (tmp_path / "printed.txt").write_text(printed())

    run_main("tools/run_net.py", *arguments, "TRAIN.PARALLEL", "ddp", "OUTPUT_DIR", str(tmp_path / "straight"))
    found, expected = (read(tmp_path / name / "log.jsonl") for name in ("elastic", "straight"))
    assert [record["step"] for record in found] == [record["step"] for record in expected]
    assert [record["loss"] for record in found] == pytest.approx([record["loss"] for record in expected], rel=1e-5)


def socket_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def read(log: Path) -> list[dict]:
    return [record for record in map(json.loads, log.read_text().splitlines()) if record["kind"] == "train"]
