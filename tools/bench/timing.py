"""Clocks of the benchmarks: interleaved repeats, peak memory, and the largest batch that fits."""

import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch

_SHARE_OF_FREE = 0.95  # of a GPU's memory; the rest is for what is timed beside the case
_in_this_process = False


@dataclass(frozen=True)
class Timing:
    """Seconds of every repeat; cpu counts all threads, and with one thread it hardly feels a busy machine."""

    wall: list[float]
    cpu: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.wall)

    @property
    def cpu_median(self) -> float:
        return statistics.median(self.cpu)


class OwnProcess:
    """The case `make_case(*arguments)` in a process of its own, as its user has it.

    In one process the memory that a case gives back or keeps decides whether the next one has to ask the system for its
    own, which is up to a quarter of torchvision's forward pass.
    """

    def __init__(self, make_case: Callable[..., Callable[[], object]], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        given = (theirs, make_case, arguments, torch.get_num_threads())
        self._process = context.Process(target=_serve, args=given, daemon=True)
        self._process.start()
        theirs.close()

    def timed(self) -> tuple[float, float]:
        """Wall and CPU seconds of one run."""
        try:
            self._pipe.send("run")
            return self._pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise RuntimeError("the process of a case ended; its own error is printed above") from error

    def close(self) -> None:
        self._pipe.close()
        self._process.join()


def _serve(pipe: Connection, make_case: Callable[..., Callable[[], object]], arguments: tuple, threads: int) -> None:
    torch.set_num_threads(threads)
    case = make_case(*arguments)
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        pipe.send(_timed(case, torch.device("cpu")))


@contextmanager
def in_this_process() -> Iterator[None]:
    """Inside the block a CPU's cases are timed here: they start at once, and their times mean less. Memory is not."""
    global _in_this_process
    before, _in_this_process = _in_this_process, True
    try:
        yield
    finally:
        _in_this_process = before


@contextmanager
def made(makers: dict[str, tuple], device: torch.device) -> Iterator[dict[str, Callable | OwnProcess]]:
    """Cases from (make_case, *arguments): on a CPU each in a process of its own, on a GPU all in this one."""
    if device.type == "cuda" or _in_this_process:
        yield {name: make_case(*arguments) for name, (make_case, *arguments) in makers.items()}
        return
    processes: dict[str, OwnProcess] = {}
    try:
        for name, maker in makers.items():
            processes[name] = OwnProcess(*maker)
        yield dict(processes)
    finally:
        for process in processes.values():
            process.close()


def interleaved(
    cases: dict[str, Callable[[], object] | OwnProcess], *, repeats: int, device: torch.device
) -> dict[str, Timing]:
    """Run every case once a round, `repeats` rounds after one that warms up, so that a slow minute slows all alike."""
    timings = {name: Timing([], []) for name in cases}
    for number in range(repeats + 1):
        for name, case in cases.items():
            wall, cpu = case.timed() if isinstance(case, OwnProcess) else _timed(case, device)
            if number:
                timings[name].wall.append(wall)
                timings[name].cpu.append(cpu)
    return timings


def _timed(case: Callable[[], object], device: torch.device) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    case()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - wall, time.process_time() - cpu


def print_timings(timings: dict[str, Timing], *, baseline: str, clips: int) -> None:
    """One line a case, with the ratio baseline / case: above 1 is faster than the baseline."""
    print(f"{'case':<24}{'wall s':>9}{'clips/s':>9}{'ratio':>8}{'cpu s':>9}{'ratio':>8}")
    base = timings[baseline]
    for name, timing in timings.items():
        wall, cpu = timing.median, timing.cpu_median
        walls = f"{wall:>9.3f}{clips / wall:>9.2f}{base.median / wall:>7.2f}x"
        print(f"{name:<24}{walls}{cpu:>9.3f}{base.cpu_median / cpu:>7.2f}x", flush=True)


def peak_megabytes(make_case: Callable[..., Callable[[], object]], *arguments: object, device: torch.device) -> float:
    """Peak memory of two runs of `make_case(*arguments)()` beyond what building it took, in MiB.

    On a CPU it is the resident memory of a fresh process (Linux); on a GPU what PyTorch allocated.
    """
    if device.type == "cuda":
        case = make_case(*arguments)
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        case()
        case()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_resident_peak, (make_case, arguments, torch.get_num_threads()))


def predicted_batch(peaks: dict[int, float], capacity: float) -> int:
    """The largest batch whose peak fits in `capacity`, on the straight line through the peaks of two batch sizes."""
    (small, low), (large, high) = sorted(peaks.items())
    slope = (high - low) / (large - small)
    return max(small, int(small + (capacity - low) / slope))


def largest_batch(make_case: Callable[[int], Callable[[], object]], *, device: torch.device) -> tuple[int, float]:
    """The largest batch, to 5 %, that `make_case(batch)` runs with on a GPU, and MiB a clip.

    Predicted from the peaks of two small batches, then tried: each size is a new graph for a compiler, so few are.
    """
    peaks = {batch: peak_megabytes(make_case, batch, device=device) for batch in (2, 4)}
    per_clip = (peaks[4] - peaks[2]) / 2
    _free_unused()
    batch = predicted_batch(peaks, _SHARE_OF_FREE * torch.cuda.mem_get_info(device)[0] / 2**20)
    while batch > 4:
        try:
            peak_megabytes(make_case, batch, device=device)
            return batch, per_clip
        except torch.OutOfMemoryError:
            print(f"a batch of {batch} does not fit", flush=True)
        _free_unused()
        batch = int(batch * 0.95)
    return 4, per_clip


def _free_unused() -> None:
    gc.collect()  # a compiled module refers to itself
    torch.cuda.empty_cache()


def _resident_peak(make_case: Callable[..., Callable[[], object]], arguments: tuple, threads: int) -> float:
    torch.set_num_threads(threads)
    case = make_case(*arguments)
    Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak of importing and building
    before = resident("VmRSS")
    case()
    case()
    return resident("VmHWM") - before


def resident(field: str) -> float:
    """A line of /proc/self/status in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":")) / 2**10
