"""The kernels that a piece of work runs, and their time, by PyTorch's profiler."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile


@dataclass(frozen=True)
class Kernel:
    """All runs of one kernel: of a GPU's, or with a CPU of one PyTorch operator without what it calls."""

    name: str
    seconds: float
    calls: int


def kernels_of(run: Callable[[], object], device: torch.device) -> list[Kernel]:
    """Those of one `run()`, the longest first. Run it once before: what is compiled or allocated then is not wanted."""
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities, acc_events=True) as watched:
        run()
        if on_gpu:
            torch.cuda.synchronize(device)
    found = []
    for event in watched.key_averages():
        if on_gpu and event.device_type == DeviceType.CUDA:
            found.append(Kernel(event.key, event.self_device_time_total / 1e6, event.count))
        elif not on_gpu:
            found.append(Kernel(event.key, event.self_cpu_time_total / 1e6, event.count))
    return sorted(found, key=lambda kernel: -kernel.seconds)


def short(name: str) -> str:
    """The part of a kernel's name that tells what it is: C++ names have their types behind it."""
    return name.removeprefix("void ").split("<", 1)[0].split("(", 1)[0][:60]
