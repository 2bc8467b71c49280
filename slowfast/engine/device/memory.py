"""Memory: how much a process has taken, and what to do when there is not enough."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from fvcore.common.config import CfgNode

from slowfast.engine.device.precision import choose_precision
from slowfast.utils.processes import distributed

GIB = 1 << 30
_TOO_LITTLE = re.compile(
    r"out of memory|not enough memory|can't allocate memory|cannot allocate memory|_ALLOC_FAILED|CUDA_ERROR_OUT_OF_MEMORY",
    re.IGNORECASE,
)
_WORKER = re.compile(
    r"DataLoader worker.*(killed by signal: Killed|Bus error|exited unexpectedly)"
    r"|insufficient shared memory|out of shared memory|unable to (allocate|write|mmap|open) .*(shm|shared memory|/torch_)",
    re.DOTALL,
)
_ASKED = re.compile(r"[Tt]ried to allocate ([\d.]+ ?\w+)")


class MemoryShortError(RuntimeError):
    """There was too little memory; the message says what to do. Not a fault of the program."""


def peak_bytes(device: torch.device) -> int:
    """Most that this process has had at once: of tensors on the GPU, or of resident memory. The GPU is not waited for."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def is_short_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory of the GPU or of the machine was not enough."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_TOO_LITTLE.search(str(error)) or _of_a_worker(error))


def _of_a_worker(error: BaseException) -> bool:
    return isinstance(error, RuntimeError | OSError) and bool(_WORKER.search(str(error)))


@contextmanager
def advice_when_short(cfg: CfgNode, device: torch.device, *, training: bool) -> Iterator[None]:
    """Turns an error about memory into a MemoryShortError that names the keys which need less; others pass as they are."""
    try:
        yield
    except MemoryShortError:
        raise
    except (RuntimeError, MemoryError, OSError) as error:
        if _of_a_worker(error):
            raise MemoryShortError(_advice_for_loaders(cfg, error)) from error
        if is_short_of_memory(error):
            raise MemoryShortError(_advice(cfg, device, error, training=training)) from error
        raise


def _advice(cfg: CfgNode, device: torch.device, error: BaseException, *, training: bool) -> str:
    where = "the GPU" if device.type == "cuda" else "the machine"
    asked = _ASKED.search(str(error))
    amount = f" when {_readable(asked[1])} more were asked for" if asked else ""
    lines = [
        f"{where} has too little memory for {'a training step' if training else 'a test batch'}: "
        f"{_gib(peak_bytes(device))} were in use at most{_of_total(device)}{amount}",
        *(_of_training(cfg, device) if training else _of_testing(cfg, device)),
    ]
    if device.type != "cuda":
        workers = cfg.DATA_LOADER.NUM_WORKERS
        lines += [f"fewer loader processes: DATA_LOADER.NUM_WORKERS below {workers}"] if workers else []
    return "\n  - ".join(lines)


def _of_training(cfg: CfgNode, device: torch.device) -> list[str]:
    """First what leaves the result as it is."""
    train, model, data = cfg.TRAIN, cfg.MODEL, cfg.DATA
    processes = distributed.world_size()
    clips = train.BATCH_SIZE // (processes * train.GRAD_ACCUM_STEPS) * cfg.AUG.NUM_SAMPLE
    size = f"DATA.NUM_FRAMES {data.NUM_FRAMES} x DATA.TRAIN_CROP_SIZE {data.TRAIN_CROP_SIZE}"
    lines = [f"a process takes {clips} clips of {size} at once; each of these needs less:"]
    parts = train.GRAD_ACCUM_STEPS
    more = next((n for n in range(parts + 1, train.BATCH_SIZE + 1) if train.BATCH_SIZE % (n * processes) == 0), None)
    if more:
        lines.append(f"TRAIN.GRAD_ACCUM_STEPS {more} (now {parts}): the same step in {more} parts")
    if not model.ACT_CHECKPOINT:
        lines.append("MODEL.ACT_CHECKPOINT True: activations are computed a second time instead of kept")
    if not choose_precision(model.PRECISION, device).autocasts:
        lines.append("MODEL.PRECISION bf16: about half the memory of activations")
    if processes > 1 and train.PARALLEL == "ddp":
        lines.append("TRAIN.PARALLEL fsdp: weights, gradients and moments are divided among the processes")
    if processes < train.BATCH_SIZE:
        lines.append(f"TRAIN.BATCH_SIZE below {train.BATCH_SIZE}, with SOLVER.BASE_LR lowered alike")
    return [*lines, "a smaller DATA.TRAIN_CROP_SIZE or DATA.NUM_FRAMES: another model"]


def _of_testing(cfg: CfgNode, device: torch.device) -> list[str]:
    test, data = cfg.TEST, cfg.DATA
    size = f"DATA.NUM_FRAMES {data.NUM_FRAMES} x DATA.TEST_CROP_SIZE {data.TEST_CROP_SIZE}"
    lines = [
        f"a process takes {test.BATCH_SIZE // distributed.world_size()} clips of {size} at once; each of these needs less:"
    ]
    if distributed.world_size() < test.BATCH_SIZE:
        lines.append(f"TEST.BATCH_SIZE below {test.BATCH_SIZE}: the same result")
    if not choose_precision(cfg.MODEL.PRECISION, device).autocasts:
        lines.append("MODEL.PRECISION bf16: about half the memory of activations")
    return [*lines, "a smaller DATA.TEST_CROP_SIZE: another result"]


def _advice_for_loaders(cfg: CfgNode, error: BaseException) -> str:
    workers = cfg.DATA_LOADER.NUM_WORKERS
    reason = next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
    lines = [
        f"a loader process was ended or got no shared memory ({reason}): the machine, or its container, has too little",
        f"fewer of them: DATA_LOADER.NUM_WORKERS below {workers} (0 loads in the training process)",
        f"fewer clips at once: TRAIN.BATCH_SIZE ({cfg.TRAIN.BATCH_SIZE}), TEST.BATCH_SIZE ({cfg.TEST.BATCH_SIZE})",
        "more shared memory where it runs in a container (docker run --shm-size=8g, or --ipc=host)",
        "more memory for the job: the system's log names processes that it ended (dmesg, or the job's accounting)",
    ]
    return "\n  - ".join(lines)


def _readable(amount: str) -> str:
    """PyTorch tells bytes on the CPU, "1.50 GiB" on a GPU."""
    number, _, unit = amount.partition(" ")
    return amount if unit and unit not in ("byte", "bytes") else _gib(int(float(number)))


def _gib(count: int) -> str:
    return f"{count / GIB:.1f} GiB"


def _of_total(device: torch.device) -> str:
    if device.type != "cuda":
        return ""
    return f" of {_gib(torch.cuda.get_device_properties(device).total_memory)}"
