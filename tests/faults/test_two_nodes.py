"""Two machines of two processes each, as torchrun starts them, both on this one."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ONE_EPOCH = [
    *("TRAIN.BATCH_SIZE", "4", "SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0.5", "LOG_PERIOD", "1", "TRAIN.EVAL_PERIOD", "1"),
    *("MVIT.DROPPATH_RATE", "0", "TEST.ENABLE", "False", "TRAIN.CHECKPOINT_PERIOD", "1", "COLLECTIVE_TIMEOUT", "120"),
]  # fmt: skip


def numbers(run: Path) -> list[tuple[str, float]]:
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [(record["kind"], record.get("loss", record.get("mAP"))) for record in records]


@pytest.mark.slow
def test_two_nodes_of_two_processes_take_the_steps_of_one(run_main, repo_root, toy_config, on_toy_data, tmp_path):
    arguments = ["--cfg", toy_config, *on_toy_data, *ONE_EPOCH]
    run_main("tools/run_net.py", *arguments, "OUTPUT_DIR", str(tmp_path / "one"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    nodes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc_per_node=2", f"--node_rank={node}"),
                *("--master_addr=127.0.0.1", f"--master_port={port}", str(repo_root / "tools/run_net.py"), *arguments),
                *("OUTPUT_DIR", str(tmp_path / "four")),
            ],
            cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for node in range(2)
    ]  # fmt: skip
    try:
        printed = [node.communicate(timeout=500)[0] for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    assert [node.returncode for node in nodes] == [0, 0], printed
    assert "4 process(es) on cpu" in printed[0]
    one, four = numbers(tmp_path / "one"), numbers(tmp_path / "four")
    assert [kind for kind, _ in one] == [kind for kind, _ in four] == ["train"] * 3 + ["eval"]
    for (_, expected), (_, found) in zip(one[:3], four[:3], strict=True):
        assert found == pytest.approx(expected, rel=1e-5)
