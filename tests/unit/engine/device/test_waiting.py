"""Processes that wait: who is behind is said, a lost one is named, and a request to stop is heard by all."""

import multiprocessing
import re
import signal
import time
from argparse import Namespace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from slowfast.engine.device.inputs import Inputs
from slowfast.engine.device.launch import USER_ERRORS, _run
from slowfast.engine.device.requests import Requests, StoppedError
from slowfast.engine.test import evaluate
from slowfast.utils.processes import distributed, waiting
from slowfast.utils.processes.waiting import LostProcessError, Watch
from tests.unit.engine.one_step import batch_of

CPU = torch.device("cpu")


@pytest.fixture
def two():
    store = dist.HashStore()
    watches = [Watch(store, rank, 2, say_after=0.2) for rank in range(2)]
    for watch in watches:
        watch.note("the start")
    return watches


def test_who_is_behind(two):
    assert two[0].behind(two[0].places()) == [] and two[1].describe().startswith(
        "all 2 processes are at the start (for "
    )
    two[0].note("epoch 1, step 1")
    assert two[0].behind(two[0].places()) == [1]
    assert re.fullmatch(
        r"process 1 is still at the start \(for \d+ s\); the others are at epoch 1, step 1", two[1].describe()
    )


def test_different_numbers_of_batches_are_not_behind(two):
    for number in range(3):
        two[0].note(f"testing, batch {number + 1}")
    two[1].note("testing, batch 1")
    two[1].note("testing, the last batch", together=True)
    assert two[0].behind(two[0].places()) == [0]  # it has a batch to do, though it had more of them
    two[0].note("testing, the last batch", together=True)
    assert two[0].behind(two[0].places()) == []


def test_a_request_is_heard_by_all(two):
    assert two[1].asked_to_stop() == ""
    two[0].ask_to_stop("SIGTERM came")
    assert two[1].asked_to_stop() == "SIGTERM came"


def test_waiting_is_said_once_by_one_process(two, caplog):
    two[0].note("epoch 1, step 1")
    for watch in two:
        watch._thread.start()
    deadline = time.monotonic() + 20
    while not caplog.records and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    for watch in two:
        watch.end()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1 and said[0].startswith("waiting: process 1 is still at the start (for ")


def test_other_errors_stay_what_they_are(two, monkeypatch):
    limit = timedelta(seconds=3)
    assert waiting.lost_process(RuntimeError("Timed out waiting 3000ms"), limit) is None  # one process alone
    monkeypatch.setattr(waiting, "_watch", two[0])
    assert waiting.lost_process(RuntimeError("shapes cannot be multiplied"), limit) is None
    lost = waiting.lost_process(RuntimeError("[gloo] Timed out waiting 3000ms for recv operation"), limit)
    assert (
        isinstance(lost, LostProcessError)
        and isinstance(lost, USER_ERRORS)
        and "they wait 3 s for one another" in str(lost)
    )


# ------------------------------------------------------------------------------------------------- two processes


def in_two_processes(work, tmp_path: Path, *, limit: float) -> list[str]:
    """What each of two processes of a group told in the end; forked, so that they start at once."""
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()

    def one(rank: int) -> None:
        torch.set_num_threads(1)
        cfg = Namespace(NUM_GPUS=0, DIST_BACKEND="gloo", COLLECTIVE_TIMEOUT=limit)
        try:
            _run(rank, 2, rank, f"file://{tmp_path}/group", partial(work, rank), cfg)
            told.put((rank, "done"))
        except Exception as error:
            told.put((rank, f"{type(error).__name__}: {error}"))

    processes = [context.Process(target=one, args=(rank,), daemon=True) for rank in range(2)]
    for process in processes:
        process.start()
    first = told.get()
    answers = dict([first]) if "LostProcessError" in first[1] else dict([first, told.get()])
    for process in processes:
        process.kill()  # one of them may hang on purpose
        process.join()
    return [answers.get(rank, "") for rank in range(2)]


def hang(rank: int, cfg: object, device: torch.device) -> None:
    waiting.note_place("epoch 1, step 1")
    distributed.barrier()
    if rank == 1:
        time.sleep(600)
    waiting.note_place("epoch 1, step 2")
    distributed.mean_over_processes([1.0])


class Scores:
    """Stands for an evaluator."""

    def process(self, found, metas) -> None:
        pass

    def evaluate(self, gather=None):
        return gather(1)


def stop_in_an_evaluation(rank: int, cfg: object, device: torch.device) -> None:
    """Process 1 alone is sent a signal, at its second of three batches; process 0 has thirty."""

    def batches():
        for number in range(30 if rank == 0 else 3):
            if rank == 1 and number == 1:
                signal.raise_signal(signal.SIGTERM)
            done.append(number)
            if rank == 0:
                time.sleep(0.1)
            yield batch_of((1,))

    done: list[int] = []
    requests = Requests()
    with requests.listening():
        try:
            evaluate(
                torch.nn.Identity(),
                batches(),
                Scores(),
                inputs=Inputs(CPU, mean=(0.45,) * 3, std=(0.225,) * 3),
                postprocess=lambda found, metas: found,
                requests=requests,
            )
        except StoppedError as error:
            raise StoppedError(f"{error} after {len(done)} batches") from None


@pytest.mark.timeout(120)
def test_a_process_that_hangs_is_named_with_its_step(tmp_path):
    found = in_two_processes(hang, tmp_path, limit=4)
    assert re.search(
        r"LostProcessError: a process of the run does not answer: process 1 is still at epoch 1, step 1 \(for \d+ s\); the "
        r"others are at epoch 1, step 2\. .*they wait 4 s for one another \(COLLECTIVE_TIMEOUT\)",
        found[0],
    ), found


@pytest.mark.timeout(120)
def test_a_stop_during_an_evaluation_is_agreed(tmp_path):
    found = in_two_processes(stop_in_an_evaluation, tmp_path, limit=60)
    assert found[1] == "StoppedError: SIGTERM came after 2 batches", found
    after = re.fullmatch(r"StoppedError: SIGTERM came after (\d+) batches", found[0])
    assert after and int(after[1]) < 30, found
