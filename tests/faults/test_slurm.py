"""tools/train.sbatch, with stand-ins for SLURM's commands: who is which process, and when the job is queued again."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

SRUN = """#!{python}
# Starts the tasks of one node, and ends with the highest of their codes, as srun does.
import os, signal, subprocess, sys
command = [word for word in sys.argv[1:] if not word.startswith("--kill-on-bad-exit")]
tasks = [subprocess.Popen(command, env=os.environ | {{"SLURM_PROCID": str(n), "SLURM_LOCALID": str(n)}}) for n in range(2)]
signal.signal(signal.SIGUSR1, lambda *_: [task.send_signal(signal.SIGUSR1) for task in tasks])
open("srun.pid", "w").write(str(os.getpid()))
sys.exit(max(task.wait() for task in tasks))
"""
SCONTROL = """#!/bin/bash
if [ "$1 $2 $3" = "show hostnames here" ]; then echo 127.0.0.1; echo other; else echo "$@" >> scontrol.txt; fi
"""
PYTHON = """#!/bin/bash
echo "$RANK $WORLD_SIZE $LOCAL_RANK $LOCAL_WORLD_SIZE $MASTER_ADDR $MASTER_PORT|$(printf '<%s>' "$@")" >> "task$RANK.txt"
exit "$TASK_CODE"
"""


def tool(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.fixture
def sbatch(repo_root, tmp_path):
    """Start the script as SLURM does: in the folder it was given from, with its variables."""
    commands = tmp_path / "commands"
    commands.mkdir()
    tool(commands, "srun", SRUN.format(python=sys.executable))
    tool(commands, "scontrol", SCONTROL)
    (tmp_path / "tools").symlink_to(repo_root / "tools")

    def start(*arguments: str, **environment: str) -> subprocess.Popen:
        slurm = {
            "SLURM_JOB_NODELIST": "here",
            "SLURM_JOB_ID": "4243",
            "SLURM_NTASKS": "2",
            "SLURM_NTASKS_PER_NODE": "2",
        }
        path = os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.Popen(
            ["bash", "tools/train.sbatch", *arguments],
            cwd=tmp_path, env=os.environ | slurm | {"PATH": path, "OMP_NUM_THREADS": "1"} | environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    return start


@pytest.mark.parametrize(("code", "again"), [("0", False), ("1", False), ("75", True)])
def test_each_task_is_a_process_and_a_stopped_run_is_queued_again(sbatch, tmp_path, code, again):
    tool(tmp_path / "commands", "python", PYTHON)
    run = sbatch("--cfg", "a b.yaml", "X", "[1, 2]", TASK_CODE=code)
    printed = run.communicate(timeout=60)[0]
    assert run.returncode == int(code), printed
    for rank in range(2):
        told = (tmp_path / f"task{rank}.txt").read_text()
        assert told == f"{rank} 2 {rank} 2 127.0.0.1 24243|<tools/run_net.py><--cfg><a b.yaml><X><[1, 2]>\n"
    asked = tmp_path / "scontrol.txt"
    assert asked.exists() == again and (not again or asked.read_text() == "requeue 4243\n")


@pytest.mark.slow
def test_a_run_is_signalled_queued_again_and_goes_on(sbatch, toy_config, on_toy_data, tmp_path):
    """USR1 to all tasks, as --signal sends it: saved, code 75, queued again; the second start ends with 0."""
    arguments = ["--cfg", toy_config, *on_toy_data, "OUTPUT_DIR", str(tmp_path / "run"), "TRAIN.BATCH_SIZE", "2"]
    arguments += [
        "SOLVER.MAX_EPOCH",
        "2",
        "SOLVER.WARMUP_EPOCHS",
        "0.5",
        "TEST.ENABLE",
        "False",
        "TRAIN.EVAL_PERIOD",
        "9",
    ]
    run, log = sbatch(*arguments), tmp_path / "run/log.jsonl"
    until = time.monotonic() + 300
    while not (log.exists() and '"train"' in log.read_text()) and run.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(int((tmp_path / "srun.pid").read_text()), 10)  # SIGUSR1
    printed = run.communicate(timeout=300)[0]
    assert run.returncode == 75 and "SIGUSR1 came; the run is saved in" in printed, printed
    assert (tmp_path / "scontrol.txt").read_text() == "requeue 4243\n"
    again = sbatch(*arguments)
    printed = again.communicate(timeout=400)[0]
    assert again.returncode == 0 and "going on after epoch" in printed, printed
    assert (tmp_path / "run/checkpoints/checkpoint_epoch_00002.pyth").exists()
