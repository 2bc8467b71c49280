"""Loader processes that answer in time, end with the run, and leave signals to it."""

import ctypes
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from slowfast.utils.logging import get_logger

SHARED_MEMORY = Path("/dev/shm")
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


class LoaderError(ValueError):
    """A loader process hangs, or batches do not fit where they are handed over."""


class Watched(Dataset):
    """A data set whose workers say at which item they are: `at` (workers,) int64 in shared memory, -1 between two items."""

    def __init__(self, clips: Dataset, workers: int) -> None:
        self.clips = clips
        self.at: Tensor = torch.full((workers,), -1, dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        return len(self.clips)  # type: ignore[arg-type]

    def __getitem__(self, item: Any) -> Any:
        worker = get_worker_info()
        if worker is None:
            return self.clips[item]
        self.at[worker.id] = item[0] if isinstance(item, tuple) else item
        made = self.clips[item]
        self.at[worker.id] = -1
        return made


class ClipLoader(DataLoader):
    """A DataLoader that tells which worker was at which item when no batch came for `timeout` seconds."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        try:
            yield from super().__iter__()
        except RuntimeError as error:
            if "timed out" not in str(error):
                raise
            raise LoaderError(self._who_hangs()) from None

    def _who_hangs(self) -> str:
        at = self.dataset.at.tolist() if isinstance(self.dataset, Watched) else []
        busy = [f"process {worker} reads item {item}{self._name(item)}" for worker, item in enumerate(at) if item >= 0]
        for process in getattr(self._iterator, "_workers", []):
            process.kill()  # one that hangs would not hear of the end
        return (
            f"no batch came from the loader processes for {self.timeout:g} s (DATA_LOADER.TIMEOUT): "
            f"{'; '.join(busy) or 'none of them is at work, so they wait for something else'}. Does its disk answer? "
            "DATA_LOADER.NUM_WORKERS 0 reads in the process itself and shows where it hangs"
        )

    def _name(self, item: int) -> str:
        name = getattr(self.dataset.clips, "name_of", None) if isinstance(self.dataset, Watched) else None
        return f" ({name(item)})" if name is not None else ""


def begin(worker: int) -> None:
    """What a loader process does first: it ends with the process that asked for it, and leaves requests to stop to that.

    Schedulers send SIGTERM to every process of a job. The run saves and then ends its workers; one that ended by itself
    would be an error in the run. A second SIGTERM, from the run, ends it.
    """
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):  # Linux
        libc.prctl(_DIES_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.signal(signal.SIGTERM, signal.SIG_DFL))


def check_shared_memory(batch_bytes: int, workers: int, folder: Path = SHARED_MEMORY) -> None:
    """Raises LoaderError where a batch of each worker does not fit into what processes share; warns where two do not.

    A worker prepares two batches ahead. batch_bytes: of one
    """
    if not workers or not folder.is_dir():
        return
    free, one = shutil.disk_usage(folder).free, batch_bytes * workers
    text = (
        f"{workers} loader processes hand over batches of {batch_bytes / 2**20:.0f} MiB, two of each at most, through "
        f"{folder}, which has {free / 2**20:.0f} MiB free; lower DATA_LOADER.NUM_WORKERS or TRAIN.BATCH_SIZE, or give the "
        "container more (docker run --shm-size 8g)"
    )
    if one > free:
        raise LoaderError(text)
    if 2 * one > free:
        get_logger().warning("%s", text)
