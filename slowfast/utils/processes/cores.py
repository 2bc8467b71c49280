"""The cores that a process may really use (its affinity, within the CPU quota of its control groups), and its helpers."""

import math
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BUSY = 2.0  # programs that want to run, for each core of the machine, from which it is busy
_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # how threads of OpenMP wait


@dataclass(frozen=True)
class Cores:
    """The cores that are there for a process.

    allowed: cores it may run on (affinity: taskset, Slurm, cpusets)
    quota:   cores' worth of time that its container is given, None without a limit
    """

    allowed: int
    quota: float | None = None

    @property
    def count(self) -> int:
        """Whole cores, at least 1. A quota is rounded down: one thread too many is held up by the others' waiting."""
        return max(1, self.allowed if self.quota is None else min(self.allowed, math.floor(self.quota)))

    def __str__(self) -> str:
        cores = f"{self.allowed} core{'' if self.allowed == 1 else 's'}"
        return cores if self.quota is None else f"{cores} with a quota of {self.quota:g}"


def effective_cores(
    *, proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup"), allowed: int | None = None
) -> Cores:
    """Cores of this process, as the kernel says.

    proc, cgroups: where its files lie (Linux); a system without them has no quota that we know of
    allowed:       cores of the affinity; None asks the system
    """
    quotas = [*_quotas_v2(proc, cgroups), *_quotas_v1(proc, cgroups)]
    return Cores(allowed or _affinity(), min(quotas, default=None))


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas_v2(proc: Path, cgroups: Path) -> Iterator[float]:
    """cpu.max of the group and of those around it: "MAX PERIOD" in microseconds, or "max PERIOD"."""
    for controllers, group in _groups(proc):
        if controllers == "":
            for folder in _upwards(cgroups, group):
                words = _read(folder / "cpu.max").split()
                if len(words) == 2 and words[0] != "max":
                    yield from _ratio(*words)


def _quotas_v1(proc: Path, cgroups: Path) -> Iterator[float]:
    """cpu.cfs_quota_us over cpu.cfs_period_us; a quota of -1 is none."""
    for controllers, group in _groups(proc):
        if "cpu" not in controllers.split(","):
            continue
        for mounted in dict.fromkeys((controllers, "cpu", "cpu,cpuacct", "cpuacct,cpu")):
            for folder in _upwards(cgroups / mounted, group):
                quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
                if quota and not quota.startswith("-"):
                    yield from _ratio(quota, period)


def _groups(proc: Path) -> list[tuple[str, str]]:
    """(controllers, path) of each line "ID:CONTROLLERS:PATH"; version 2 has one line without controllers."""
    lines = [line.split(":", 2) for line in _read(proc / "self/cgroup").splitlines()]
    return [(parts[1], parts[2]) for parts in lines if len(parts) == 3]


def _upwards(root: Path, group: str) -> Iterator[Path]:
    """The folder of a group and those around it, up to `root`. A path of the host is not there in a container."""
    parts = [part for part in group.split("/") if part and part != ".."]
    for depth in range(len(parts), -1, -1):
        yield root.joinpath(*parts[:depth])


def _ratio(quota: str, period: str) -> Iterator[float]:
    if quota.isdigit() and period.isdigit() and int(period) > 0:
        yield int(quota) / int(period)


def _read(path: Path) -> str:
    """The text of a small file of the kernel; "" where there is none."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def load_per_core() -> float:
    """How many programs wanted to run in the last minute, for each core of the machine; 0 where that is not known."""
    return os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 0.0


def sleep_while_waiting() -> bool:
    """On a busy machine, or under a quota, let threads of OpenMP that wait for others sleep; True where decided here.

    By default they keep their cores while they wait, which others need to get there: a step then takes ten times as long
    (docs/PERFORMANCE.md). OpenMP reads this once: after torch was imported nothing is done. What a user has set stays.
    """
    if "torch" in sys.modules or any(name in os.environ for name in _WAITING):
        return False
    if load_per_core() <= BUSY and effective_cores().quota is None:
        return False
    os.environ["OMP_WAIT_POLICY"] = "passive"
    return True


def ignore_ctrl_c() -> None:
    """For processes that only work for another: that one hears Ctrl-C, ends them, and says so once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
