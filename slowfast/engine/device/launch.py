"""Start the processes of a run: one on the CPU or a GPU, NUM_GPUS spawned ones, or those that torchrun started."""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from types import FrameType

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from fvcore.common.config import CfgNode

from slowfast.engine.device.memory import MemoryShortError
from slowfast.engine.device.rendezvous import store_of_this_start
from slowfast.engine.device.requests import SIGNALS, STOPPED_EXIT_CODE, StoppedError
from slowfast.utils.logging import get_logger
from slowfast.utils.missing import MissingPackageError
from slowfast.utils.processes.waiting import SAY_AFTER, LostProcessError, begin_watch, end_watch, lost_process
from slowfast.video.source import ClipReadError

Main = Callable[[CfgNode, torch.device], object]
# What a user can mend; anything else is a bug of ours and keeps its traceback.
USER_ERRORS = (
    ValueError,
    OSError,
    FloatingPointError,
    ClipReadError,
    MemoryShortError,
    MissingPackageError,
    LostProcessError,
)
_TOLD = "a process of the run says: "


class ProcessError(ValueError):
    """What a user can mend, as a spawned process has told it."""


def launch(main: Main, cfg: CfgNode) -> None:
    """Call `main(cfg, device)` in every process of the run.

    Under torchrun (RANK and WORLD_SIZE are set) this process joins the group it was started for; NUM_GPUS 0 then means
    processes on the CPU. Otherwise NUM_GPUS > 1 spawns one process per GPU, and 0 or 1 runs right here.
    """
    _check_gpus(cfg)
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        local_rank = int(os.environ.get("LOCAL_RANK", 0))
        _run(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), local_rank, "env://", main, cfg)
    elif cfg.NUM_GPUS > 1:
        address = f"tcp://127.0.0.1:{_free_port()}"
        _spawn(cfg.NUM_GPUS, address, main, cfg)
    else:
        main(cfg, _device(cfg, 0))


def _check_gpus(cfg: CfgNode) -> None:
    found = torch.cuda.device_count()
    if found < cfg.NUM_GPUS:
        advice = "set NUM_GPUS 0 to run on the CPU" if found == 0 else f"set NUM_GPUS to at most {found}"
        raise ValueError(f"NUM_GPUS is {cfg.NUM_GPUS}, but torch sees {found} CUDA devices; {advice}")


def _device(cfg: CfgNode, local_rank: int) -> torch.device:
    if cfg.NUM_GPUS == 0:
        return torch.device("cpu")
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def _spawn(processes: int, address: str, main: Main, cfg: CfgNode) -> None:
    try:
        started = mp.spawn(_run_spawned, args=(processes, address, main, cfg), nprocs=processes, join=False)
        with _passing_on_signals(started.pids()):
            while not started.join():
                pass
    except mp.ProcessRaisedException as error:
        _, told, message = str(error).rpartition(_TOLD)  # torch hands over the text of a traceback
        if not told:
            raise
        raise ProcessError(message.strip()) from None
    except mp.ProcessExitedException as error:
        if error.exit_code == STOPPED_EXIT_CODE:
            raise StoppedError("the run was asked to stop and is saved; its log tells where") from None
        if error.signal_name != "SIGKILL":
            raise
        raise MemoryShortError(
            f"process {error.error_index} was killed from outside (signal 9): most often the machine, or its container, "
            "has too little memory; lower DATA_LOADER.NUM_WORKERS or TRAIN.BATCH_SIZE, or give the job more"
        ) from None


def _run_spawned(rank: int, world_size: int, address: str, main: Main, cfg: CfgNode) -> None:
    try:
        _run(rank, world_size, rank, address, main, cfg)
    except StoppedError as stopped:
        get_logger().info("stopped: %s", stopped)
        sys.exit(STOPPED_EXIT_CODE)
    except USER_ERRORS as error:
        raise ProcessError(f"{_TOLD}{error}") from None


@contextmanager
def _passing_on_signals(pids: Sequence[int]) -> Iterator[None]:
    """Requests to stop that this process gets, while the block runs, go to the processes that do the work."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    before = {number: signal.signal(number, pass_on) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(rank: int, world_size: int, local_rank: int, address: str, main: Main, cfg: CfgNode) -> None:
    device = _device(cfg, local_rank)
    backend = cfg.DIST_BACKEND
    if backend == "auto":
        backend = "gloo" if device.type == "cpu" else "nccl"
    limit = timedelta(seconds=cfg.COLLECTIVE_TIMEOUT)
    store = store_of_this_start(rank, world_size, limit) if address == "env://" else None
    where = {"init_method": address} if store is None else {"store": store}
    dist.init_process_group(backend, **where, rank=rank, world_size=world_size, timeout=limit)
    try:
        begin_watch(rank, world_size, say_after=min(SAY_AFTER, cfg.COLLECTIVE_TIMEOUT / 4))
        main(cfg, device)
        end_watch()
    except BaseException as error:
        own = isinstance(error, USER_ERRORS)
        lost = lost_process(error, limit) if isinstance(error, RuntimeError) and not own else None
        end_watch()
        if lost is not None:
            raise lost from error
        # NCCL would wait here for the other processes, which wait for this one: no one would learn of the error.
        if backend != "nccl":
            dist.destroy_process_group()
        raise
    dist.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
