"""slowfast.engine.device.threads: how many threads, from plain numbers, and what is said about them."""

import pytest
import torch

from slowfast.config import get_cfg
from slowfast.engine.device import threads
from slowfast.engine.device.threads import choose_threads, set_threads
from slowfast.utils.processes.cores import Cores

PLAIN = {"processes": 1, "asked": 0, "by_environment": "", "torch_takes": 64, "workers": 0}


@pytest.mark.parametrize(
    ("cores", "given", "count"),
    [
        (Cores(64), {}, 64),
        (Cores(64, 2.0), {}, 2),
        (Cores(1), {}, 1),
        (Cores(64), {"torch_takes": 32}, 32),  # hardware threads share a core
        (Cores(64), {"processes": 8}, 8),
        (Cores(4), {"processes": 8}, 1),
        (Cores(4), {"by_environment": "12", "torch_takes": 12}, 12),
        (Cores(4), {"by_environment": "12", "torch_takes": 12, "asked": 3}, 3),
    ],
)
def test_counts(cores, given, count):
    assert choose_threads(cores, **PLAIN | given).count == count


def test_the_reason_is_said():
    quota = choose_threads(Cores(64, 2.0), **PLAIN)
    assert str(quota) == (
        "2 threads a process on the CPU: 64 cores with a quota of 2; NUM_THREADS or OMP_NUM_THREADS set it"
    )
    shared = choose_threads(Cores(4), **PLAIN | {"processes": 4})
    assert str(shared).startswith("1 thread a process on the CPU: 4 cores, shared by 4 processes; ")
    given = choose_threads(Cores(4), **PLAIN | {"by_environment": "1", "torch_takes": 1})
    assert "OMP_NUM_THREADS is 1 (4 cores); NUM_THREADS overrides it" in str(given)
    assert "NUM_THREADS (4 cores)" in str(choose_threads(Cores(4), **PLAIN | {"asked": 3}))


def test_more_loader_processes_than_cores_are_said_and_left():
    (warning,) = choose_threads(Cores(4), **PLAIN | {"workers": 8}).warnings
    assert warning.startswith("8 loader processes share 4 cores: DATA_LOADER.NUM_WORKERS (8) above 4 costs memory")
    (warning,) = choose_threads(Cores(4), **PLAIN | {"workers": 2, "processes": 4}).warnings
    assert warning.startswith("8 loader processes share 4 cores: DATA_LOADER.NUM_WORKERS (2) above 1 ")
    assert choose_threads(Cores(8), **PLAIN | {"workers": 8}).warnings == ()


def test_a_busy_machine_is_said():
    (warning,) = choose_threads(Cores(2), **PLAIN, load=7.5).warnings
    assert "7.5 of them for each core" in warning and "NUM_THREADS 1 may be many times faster" in warning
    (warning,) = choose_threads(Cores(2), **PLAIN, load=7.5, asleep=True).warnings
    assert "wait for each other, asleep (OMP_WAIT_POLICY passive), and NUM_THREADS 1 may be faster" in warning
    assert choose_threads(Cores(1), **PLAIN, load=7.5).warnings == ()  # one thread waits for no other
    assert choose_threads(Cores(2), **PLAIN, load=1.0).warnings == ()


def test_the_threads_of_this_process_are_set(monkeypatch):
    calls = []
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    monkeypatch.setattr(torch, "set_num_threads", calls.append)
    monkeypatch.setattr(threads, "effective_cores", lambda: Cores(16, 8.0))
    assert set_threads(get_cfg()).count == 4 and calls == [4]
    cfg = get_cfg()
    cfg.NUM_THREADS = 3
    assert set_threads(cfg).count == 3 and calls == [4, 3]
    monkeypatch.setenv("OMP_NUM_THREADS", "16")
    assert set_threads(get_cfg()).count == 16 and calls == [4, 3]
