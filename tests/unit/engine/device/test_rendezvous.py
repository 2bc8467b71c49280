"""slowfast.engine.device.rendezvous: processes of one start meet, whatever earlier starts left."""

import threading
from datetime import timedelta

import pytest
import torch.distributed as dist

from slowfast.engine.device.rendezvous import agree_on_name, store_of_this_start
from slowfast.utils.processes.waiting import LostProcessError


def start(store: dist.Store, ranks: range, world_size: int, seconds: float = 20.0) -> dict[int, str]:
    """What the processes of a start agree on, each a thread here."""
    found: dict[int, str] = {}

    def one(rank: int) -> None:
        try:
            found[rank] = agree_on_name(store, rank, world_size, timedelta(seconds=seconds))
        except LostProcessError as error:
            found[rank] = f"error: {error}"

    threads = [threading.Thread(target=one, args=(rank,)) for rank in ranks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_each_start_has_a_name_of_its_own():
    store, names = dist.HashStore(), []
    for world_size in (3, 3, 2, 4):  # nodes go and come
        found = start(store, range(world_size), world_size)
        assert len(found) == world_size and len(set(found.values())) == 1, found
        names.append(found[0])
    assert len(set(names)) == 4


def test_a_start_that_was_broken_off_disturbs_none_after_it():
    store = dist.HashStore()
    lost = start(store, range(1, 3), 3, seconds=0.2)  # process 0 never came
    assert "process 0 did not come to the start within 0.2 s (COLLECTIVE_TIMEOUT)" in lost[1]
    lost = start(store, range(2), 3, seconds=0.2)  # process 2 never came, and had asked before
    assert "process 2 did not come to the start within 0.2 s (COLLECTIVE_TIMEOUT)" in lost[0]
    found = start(store, range(3), 3)
    assert len(set(found.values())) == 1 and found[0] != lost[1]


def test_without_torchrun_nothing_is_agreed_on(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    assert store_of_this_start(0, 2, timedelta(seconds=1)) is None


@pytest.mark.parametrize("value", ["False", ""])
def test_nor_where_torchrun_keeps_no_store(monkeypatch, value):
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", value)
    assert store_of_this_start(0, 2, timedelta(seconds=1)) is None
