"""Loader processes: one that hangs is named, one without its run ends, and a request to stop is left to the run."""

import os
import signal
import time

import pytest
import torch
from torch.utils.data import Dataset

from slowfast.datasets.clips import workers
from slowfast.datasets.clips.workers import ClipLoader, LoaderError, Watched, begin, check_shared_memory


class Clips(Dataset):
    """Item 3 of `hangs` never comes; item 0 tells the process that made it."""

    def __init__(self, hangs: bool = False) -> None:
        self.hangs = hangs

    def __len__(self) -> int:
        return 4

    def name_of(self, index: int) -> str:
        return f"video {index}"

    def __getitem__(self, item: int) -> torch.Tensor:
        if item == 3 and self.hangs:
            time.sleep(600)
        return torch.tensor(os.getpid())


def loader(clips: Dataset, timeout: float = 0.0) -> ClipLoader:
    return ClipLoader(
        Watched(clips, 1),
        num_workers=1,
        multiprocessing_context="fork",
        worker_init_fn=begin,
        timeout=timeout,
        persistent_workers=True,
    )


def test_a_worker_that_hangs_is_named():
    start = time.monotonic()
    with pytest.raises(LoaderError, match=r"for 1 s \(DATA_LOADER.TIMEOUT\): process 0 reads item 3 \(video 3\)\."):
        list(loader(Clips(hangs=True), timeout=1.0))
    assert time.monotonic() - start < 60


def test_the_first_request_to_stop_is_left_to_the_run():
    """Schedulers send SIGTERM to every process of a job; the loader goes on until the run ends it."""
    batches = iter(loader(Clips()))
    worker = int(next(batches))
    os.kill(worker, signal.SIGUSR1)
    os.kill(worker, signal.SIGTERM)
    assert len(list(batches)) == 3


def test_a_worker_ends_with_the_process_that_asked_for_it():
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        grandchild = os.fork()
        if not grandchild:
            begin(0)
            os.write(writer, str(os.getpid()).encode())
            time.sleep(600)
        os.read(reader, 0)
        time.sleep(600)
    grandchild = int(os.read(reader, 20))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for _ in range(200):
        try:
            os.kill(grandchild, 0)
        except ProcessLookupError:
            return
        with open(f"/proc/{grandchild}/stat") as stat:
            if stat.read().split()[2] == "Z":  # nobody waits for it here
                return
        time.sleep(0.05)
    os.kill(grandchild, signal.SIGKILL)
    pytest.fail("it lives on")


def test_shared_memory_that_is_too_small(tmp_path, monkeypatch, caplog):
    free = 100 * 2**20
    monkeypatch.setattr(workers.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": free}))
    check_shared_memory(10 * 2**20, 5, tmp_path)
    assert not caplog.records
    check_shared_memory(10 * 2**20, 6, tmp_path)
    assert "6 loader processes hand over batches of 10 MiB" in caplog.text and "100 MiB free" in caplog.text
    with pytest.raises(LoaderError, match=r"11 loader processes .*DATA_LOADER.NUM_WORKERS.*--shm-size"):
        check_shared_memory(10 * 2**20, 11, tmp_path)
    check_shared_memory(10 * 2**20, 0, tmp_path)
