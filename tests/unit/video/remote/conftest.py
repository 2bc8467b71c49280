from collections.abc import Iterator

import pytest

from slowfast.video.remote import store as remote_store
from tests.unit.video.remote.faulty_store import FaultyStore


@pytest.fixture
def faulty() -> Iterator[type[FaultyStore]]:
    FaultyStore.reset()
    yield FaultyStore
    FaultyStore.reset()


@pytest.fixture(autouse=True)
def waits(monkeypatch) -> list[float]:
    """What would have been waited between tries."""
    waited: list[float] = []
    monkeypatch.setattr(remote_store.time, "sleep", waited.append)
    return waited
