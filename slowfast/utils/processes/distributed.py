"""The processes of a run: rank, size, and the few things they say to each other. Without a process group: one process.

Torch is imported only where there are several: whatever writes to the log asks for its rank, and most of it needs no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch.distributed as dist
    from torch import Tensor

_host_group: dist.ProcessGroup | None = None


def is_distributed() -> bool:
    """Nobody has made a process group where nobody has imported what makes one."""
    if "torch.distributed" not in sys.modules:
        return False
    import torch.distributed as dist

    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    if not is_distributed():
        return 0
    import torch.distributed as dist

    return dist.get_rank()


def world_size() -> int:
    if not is_distributed():
        return 1
    import torch.distributed as dist

    return dist.get_world_size()


def is_main() -> bool:
    return rank() == 0


def barrier() -> None:
    if is_distributed():
        import torch.distributed as dist

        dist.barrier(group=_cpu_group())


def mean_over_processes(values: Iterable[float]) -> list[float]:
    """The mean of each number over all processes. Travels on the CPU, so that no process waits for its GPU."""
    if not is_distributed():
        return [float(value) for value in values]
    import torch
    import torch.distributed as dist

    tensor = torch.tensor(list(values), dtype=torch.float64)
    dist.all_reduce(tensor, group=_cpu_group())
    return (tensor / world_size()).tolist()


def mean_over_processes_(tensor: Tensor) -> Tensor:
    """The mean of a tensor over all processes, in place."""
    if is_distributed():
        import torch.distributed as dist

        dist.all_reduce(tensor)
        tensor /= world_size()
    return tensor


def mean_by_name(values: Mapping[str, float]) -> dict[str, float]:
    """The mean of each number over the processes that have it."""
    gathered: dict[str, list[float]] = {}
    for share in gather_objects(dict(values)):
        for name, value in share.items():
            gathered.setdefault(name, []).append(value)
    return {name: sum(found) / len(found) for name, found in gathered.items()}


def gather_objects(value: Any, group: dist.ProcessGroup | None = None) -> list[Any]:
    """What every process passed, in rank order, on every process. Picklable values only; travels on the CPU.

    group: `another_group`, for a thread that talks while others do
    """
    if not is_distributed():
        return [value]
    import torch.distributed as dist

    gathered: list[Any] = [None] * world_size()
    dist.all_gather_object(gathered, value, group=group or _cpu_group())
    return gathered


def another_group() -> dist.ProcessGroup | None:
    """All processes, talking through gloo apart from what else they say; None where one is alone. On all together."""
    if not is_distributed():
        return None
    import torch.distributed as dist

    return dist.new_group(backend="gloo")  # type: ignore[return-value]


def _cpu_group() -> dist.ProcessGroup | None:
    """All processes, talking through gloo, which reads host memory; None, the default group, where that is gloo."""
    global _host_group
    import torch.distributed as dist

    if _host_group is None and dist.get_backend() != "gloo":
        # new_group gives a number instead only to processes that are not in it, and here all are.
        _host_group = dist.new_group(backend="gloo")  # type: ignore[assignment]
    return _host_group
