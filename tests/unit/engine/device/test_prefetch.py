"""slowfast.engine.device.prefetch: the order of copies and hand-overs on a GPU, played with streams that only take notes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from slowfast.engine.device.prefetch import Prefetch
from tests.unit.engine.one_step import batch_of

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def test_on_the_cpu_steps_pass_through_one_at_a_time():
    steps = [[batch_of((1,)), batch_of((2,))], [batch_of((0,))]]
    taken = []

    def loader():
        for step in steps:
            taken.append(len(step))
            yield step

    upcoming = Prefetch(loader(), CPU)
    for number, step in enumerate(upcoming, start=1):
        upcoming.copy_next()
        assert len(taken) == number  # nothing is taken ahead
        assert all(found.clips is batch.clips for found, batch in zip(step, steps[number - 1], strict=True))
    assert taken == [2, 1]


class NotedBatch:
    """Stands for a ClipBatch of one tensor; notes what is done to it, and on which stream."""

    def __init__(self, name: str, notes: "Notes") -> None:
        self.name, self.notes = name, notes

    def to(self, device: torch.device, *, non_blocking: bool) -> "NotedBatch":
        assert device == CUDA and non_blocking
        self.notes.add(f"copy {self.name} on {self.notes.stream}")
        return self

    def map(self, change) -> None:
        change(self)

    def record_stream(self, stream: str) -> None:
        self.notes.add(f"{self.name} used on {stream}")


class Notes(list):
    """What happened, in order; `stream` is the present stream."""

    stream = "main"

    def add(self, event: str) -> None:
        self.append(event)

    def loader(self, *steps: tuple[str, ...]) -> Iterator[list[NotedBatch]]:
        for step in steps:
            self.add(f"load {' '.join(step)}")
            yield [NotedBatch(name, self) for name in step]


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Notes:
    notes = Notes()

    class Main(str):
        def wait_stream(self, other: str) -> None:
            notes.add(f"{self} waits for {other}")

    @contextmanager
    def stream(name: str) -> Iterator[None]:
        notes.stream = name
        yield
        notes.stream = "main"

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: "side")
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Main("main"))
    return notes


def test_on_a_gpu_the_next_step_is_copied_on_its_own_stream_while_the_present_one_trains(notes):
    upcoming = Prefetch(notes.loader(("a", "b"), ("c",)), CUDA)
    for step in upcoming:
        names = " ".join(batch.name for batch in step)
        notes.add(f"forward {names}")
        upcoming.copy_next()
        upcoming.copy_next()  # there is only one next step
        notes.add(f"assignment {names}")
    assert notes == [
        "load a b",
        "copy a on side",
        "copy b on side",
        "main waits for side",
        "a used on main",
        "b used on main",
        "forward a b",
        "load c",
        "copy c on side",
        "assignment a b",
        "main waits for side",
        "c used on main",
        "forward c",
        "assignment c",
    ]


def test_a_step_that_was_not_copied_ahead_is_copied_when_asked_for(notes):
    names = [[batch.name for batch in step] for step in Prefetch(notes.loader(("a",), ("b",)), CUDA)]
    assert names == [["a"], ["b"]]
    assert notes[:5] == ["load a", "copy a on side", "main waits for side", "a used on main", "load b"]


def test_an_error_of_the_loader_reaches_the_loop(notes):
    def loader():
        yield from notes.loader(("a",))
        raise OSError("cannot read b")

    upcoming = Prefetch(loader(), CUDA)
    with pytest.raises(OSError, match="cannot read b"):
        for _ in upcoming:
            upcoming.copy_next()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_numbers_arrive_on_a_gpu():
    steps = [[batch_of((k % 3,), first=k).pin_memory()] for k in range(6)]
    device, found = torch.device("cuda", torch.cuda.current_device()), []
    upcoming = Prefetch(iter(steps), device)
    for (batch,) in upcoming:
        busy = torch.randn(2048, 2048, device=device)
        for _ in range(10):
            busy = busy @ busy / 2048
        upcoming.copy_next()
        found.append(batch.clips.sum().cpu())
    assert [int(value) for value in found] == [int(step[0].clips.sum()) for step in steps]
