"""slowfast.engine.device.launch: where a run starts, and what it says when the GPUs are not there."""

import os
import socket
import traceback

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from slowfast.config import get_cfg
from slowfast.engine.device import launch as launching
from slowfast.engine.device.launch import USER_ERRORS, launch
from slowfast.engine.device.memory import MemoryShortError


def config(num_gpus: int):
    cfg = get_cfg()
    cfg.NUM_GPUS = num_gpus
    return cfg


@pytest.fixture(autouse=True)
def _no_torchrun(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


def test_no_gpu_runs_here_on_the_cpu():
    calls = []
    launch(lambda cfg, device: calls.append((cfg.NUM_GPUS, device, os.getpid(), dist.is_initialized())), config(0))
    assert calls == [(0, torch.device("cpu"), os.getpid(), False)]


def test_a_process_of_torchrun_joins_its_group(monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name, value in {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }.items():
        monkeypatch.setenv(name, value)
    calls = []
    launch(lambda cfg, device: calls.append((device, dist.get_world_size(), dist.get_backend())), config(0))
    assert calls == [(torch.device("cpu"), 1, "gloo")]
    assert not dist.is_initialized()

    def fails(cfg, device):
        raise ValueError("the run failed")

    with pytest.raises(ValueError, match=r"the run failed"):
        launch(fails, config(0))
    assert not dist.is_initialized()  # left behind it would hang the next run


@pytest.mark.parametrize(
    ("found", "wanted", "message"),
    [
        (0, 1, "NUM_GPUS is 1, but torch sees 0 CUDA devices; set NUM_GPUS 0 to run on the CPU"),
        (2, 8, "NUM_GPUS is 8, but torch sees 2 CUDA devices; set NUM_GPUS to at most 2"),
    ],
)
def test_gpus_that_are_not_there(monkeypatch, found, wanted, message):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: found)
    with pytest.raises(ValueError, match=message):
        launch(lambda cfg, device: pytest.fail("must not start"), config(wanted))


@pytest.mark.parametrize(("backend", "left"), [("nccl", False), ("gloo", True)])
def test_an_error_leaves_a_process_of_nccl_without_waiting_for_the_others(monkeypatch, backend, left):
    """Leaving an NCCL group waits for the other processes; after an error they wait for this one."""
    calls = []
    monkeypatch.setattr(dist, "init_process_group", lambda *_, **__: None)
    monkeypatch.setattr(dist, "destroy_process_group", lambda: calls.append("left the group"))
    monkeypatch.setattr("slowfast.engine.device.launch.begin_watch", lambda *_, **__: None)  # it needs a group
    for name, value in {"RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    cfg = config(0)
    cfg.DIST_BACKEND = backend

    def fails(cfg, device):
        raise FloatingPointError("the matching cost is NaN")

    with pytest.raises(FloatingPointError, match="the matching cost is NaN"):
        launch(fails, cfg)
    assert calls == ["left the group"] * left
    launch(lambda cfg, device: None, cfg)
    assert calls == ["left the group"] * (left + 1)


def test_what_a_spawned_process_says_comes_without_its_traceback(monkeypatch):
    """The text that torch hands over is a traceback; a user's error in it becomes that error's message alone."""

    def spawn(function, args, nprocs, join):
        try:
            function(1, *args)
        except Exception as error:
            text = "".join(traceback.format_exception(error))
            raise mp.ProcessRaisedException(
                f"\n\n-- Process 1 terminated with the following error:\n{text}", 1, 4711
            ) from None

    def run(rank, world_size, local_rank, address, main, cfg):
        main(cfg, torch.device("cpu"))

    monkeypatch.setattr(launching.mp, "spawn", spawn)
    monkeypatch.setattr(launching, "_run", run)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    def fails(error):
        def main(cfg, device):
            raise error

        return main

    with pytest.raises(ValueError, match=r"^too little\n  - key$") as told:
        launch(fails(MemoryShortError("too little\n  - key")), config(2))
    assert isinstance(told.value, USER_ERRORS)
    with pytest.raises(mp.ProcessRaisedException, match=r"(?s)Traceback.*KeyError: 'a bug'") as bug:
        launch(fails(KeyError("a bug")), config(2))
    assert not isinstance(bug.value, USER_ERRORS)


def test_a_spawned_process_that_is_killed_from_outside_had_too_little_memory(monkeypatch):
    def spawn(function, args, nprocs, join):
        raise mp.ProcessExitedException("process 1 terminated with signal SIGKILL", 1, 4711, -9, "SIGKILL")

    monkeypatch.setattr(launching.mp, "spawn", spawn)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(MemoryShortError, match=r"process 1 was killed from outside .*too little memory"):
        launch(lambda cfg, device: None, config(2))
