"""With how many threads a process of a run computes on the CPU, why, and whether its loaders have cores."""

import os
from dataclasses import dataclass

import torch
from fvcore.common.config import CfgNode

from slowfast.utils.logging import get_logger
from slowfast.utils.processes import distributed
from slowfast.utils.processes.cores import BUSY, Cores, effective_cores, load_per_core


@dataclass(frozen=True)
class Threads:
    """count: of a process; why: in words for the log; warnings: one line each"""

    count: int
    why: str
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.count} thread{'' if self.count == 1 else 's'} a process on the CPU: {self.why}"

    def log(self) -> None:
        get_logger().info("%s", self)
        for warning in self.warnings:
            get_logger().warning("%s", warning)


def set_threads(cfg: CfgNode) -> Threads:
    """Decide and set the threads of this process. Call before it computes; results may differ in the last digits."""
    threads = choose_threads(
        effective_cores(),
        processes=processes_here(),
        asked=cfg.NUM_THREADS,
        by_environment=os.environ.get("OMP_NUM_THREADS", ""),
        torch_takes=torch.get_num_threads(),
        workers=cfg.DATA_LOADER.NUM_WORKERS,
        load=load_per_core(),
        asleep=os.environ.get("OMP_WAIT_POLICY", "").lower() == "passive",
    )
    if threads.count != torch.get_num_threads():
        torch.set_num_threads(threads.count)
    return threads


def processes_here() -> int:
    """Processes of the run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", distributed.world_size()))


def choose_threads(
    cores: Cores,
    *,
    processes: int,
    asked: int,
    by_environment: str,
    torch_takes: int,
    workers: int,
    load: float = 0.0,
    asleep: bool = False,
) -> Threads:
    """The decision, from plain numbers.

    processes:      of the run on this machine
    asked:          NUM_THREADS
    by_environment: OMP_NUM_THREADS, which torch has read; "" where it is not set
    torch_takes:    threads of torch as it is, and the most that are taken: it counts hardware threads of a core once
    workers:        loader processes of each process
    load:           how many programs wanted to run in the last minute, for each core of the machine
    asleep:         threads sleep while they wait for others
    """
    shared = "" if processes == 1 else f", shared by {processes} processes"
    if asked:
        count, why = asked, f"NUM_THREADS ({cores}{shared})"
    elif by_environment:
        count, why = torch_takes, f"OMP_NUM_THREADS is {by_environment} ({cores}{shared}); NUM_THREADS overrides it"
    else:
        count = max(1, min(torch_takes, cores.count // processes))
        why = f"{cores}{shared}; NUM_THREADS or OMP_NUM_THREADS set it"
    warnings = []
    if workers * processes > cores.count:
        warnings.append(
            f"{workers * processes} loader processes share {cores}: DATA_LOADER.NUM_WORKERS ({workers}) above "
            f"{max(1, cores.count // processes)} costs memory and is seldom faster"
        )
    if load > BUSY and count > 1:
        warnings.append(
            f"other programs use this machine too ({load:.1f} of them for each core): threads then wait for each other"
            f"{', asleep (OMP_WAIT_POLICY passive),' if asleep else ','} and NUM_THREADS 1 may be "
            f"{'faster' if asleep else 'many times faster'}"
        )
    return Threads(count, why, tuple(warnings))
