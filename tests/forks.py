"""Processes of a test as forks of one that has imported everything: each takes seconds of a core less than a new one.

That one is started once for each process of the suite. It imports and forks, and no thread runs in it: a fork of the
process that runs the tests might wait forever for a lock that a thread of it held.
"""

import multiprocessing
import os
import runpy
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist
import torch.multiprocessing as mp

from tests.rules.sources import ROOT

PATIENCE = 30.0  # seconds that processes have to end by themselves once one of them has failed


@cache
def server() -> ForkServerContext:
    """What starts forks, where multiprocessing.get_context("forkserver") would import everything anew in each."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.imported_once"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # it looks nowhere else, and says nothing of what it does not find
        forkserver.ensure_running()
    return context


def call_in_processes(function: Callable[..., None], *arguments: Any, processes: int) -> None:
    """`function(rank, *arguments)` in that many processes; an error in one is raised here."""
    server()
    mp.start_processes(function, arguments, nprocs=processes, start_method="forkserver")


def run_in_processes(
    script: Path, arguments: Sequence[str], *, cwd: Path, processes: int, seconds: float
) -> tuple[int, str, str]:
    """Exit code, output and errors of a script in that many processes, which find one another as those of torchrun do.

    One process alone finds no other. An exit code that is not 0 is that of the first that failed. seconds: after which all
    are killed
    """
    context, environment = server(), {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    store = None
    if processes > 1:
        store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        environment |= {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(store.port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",
        }
        environment |= {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    started, printed = [], [cwd / f".printed_by_{rank}" for rank in range(processes)]
    for rank in range(processes):
        own = environment if store is None else environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        process = context.Process(target=_run, args=(script, arguments, cwd, own, printed[rank]))
        process.start()
        started.append(process)
    code = _ended(started, seconds)
    texts = [[Path(f"{path}.{kind}").read_text() for path in printed] for kind in ("out", "err")]
    for path in printed:
        for kind in ("out", "err"):
            Path(f"{path}.{kind}").unlink()
    del store  # not before: it is the meeting place
    return code, "".join(texts[0]), "".join(texts[1])


def _ended(started: Sequence[BaseProcess], seconds: float) -> int:
    """Wait for all; the exit code."""
    deadline, code = time.monotonic() + seconds, 0
    running = {process.sentinel: process for process in started}
    try:
        while running:
            ready = wait(list(running), timeout=max(0.0, deadline - time.monotonic()))
            if not ready:
                break
            for sentinel in ready:
                ended = running.pop(sentinel)
                ended.join()
                if ended.exitcode and not code:
                    code, deadline = ended.exitcode, min(deadline, time.monotonic() + PATIENCE)
    finally:
        for process in running.values():
            process.kill()
            process.join()
    assert not running or code, f"a process did not end within {seconds:g} seconds"
    return code


def _run(script: Path, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], printed: Path) -> None:
    """In a fork: what `python SCRIPT ARGUMENTS` does from `cwd`, printing to files."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    for number, kind in ((1, "out"), (2, "err")):
        file = os.open(f"{printed}.{kind}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")
