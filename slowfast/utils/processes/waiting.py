"""Who of a run's processes is behind, said while the others wait for it, and when they give up.

Each process notes in the store of the process group where it is; a thread of each looks whether that moves on.
"""

import re
import threading
import time
from dataclasses import dataclass
from datetime import timedelta

import torch.distributed as dist

from slowfast.utils.logging import get_logger

SAY_AFTER = 60.0  # seconds at one place after which it is said
_TOGETHER = 1_000_000_000  # above any number of batches of one evaluation, of which processes have different ones
_KEY, _STOP = "slowfast/place", "slowfast/stop"
# What gloo and NCCL say when another process does not answer, or is gone.
_LOST = re.compile(
    r"Timed out waiting|wait timeout|timeout caused pair closure|Connection (closed|reset|refused)|Broken pipe|Socket (closed|Timeout)|NCCL"
)


class LostProcessError(RuntimeError):
    """Another process of the run does not answer; the message names it and where it is."""


@dataclass(frozen=True)
class Place:
    """number: how many places a process has noted; what: "epoch 2, step 17"; since: seconds of its clock."""

    number: int
    what: str
    since: float


class Watch:
    """Notes where this process is, and says when it has waited long, and for whom.

    store: of the process group; say_after: seconds without a new place
    """

    def __init__(self, store: dist.Store, rank: int, world_size: int, *, say_after: float = SAY_AFTER) -> None:
        self._store, self._rank, self._size, self._say_after = store, rank, world_size, say_after
        self._number, self._noted, self._said, self._ended = 0, time.monotonic(), False, threading.Event()
        self._thread = threading.Thread(target=self._look, name="waiting for processes", daemon=True)

    def begin(self) -> None:
        self.note("the start")
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(timeout=5)

    def note(self, what: str, *, together: bool = False) -> None:
        """This process is at another place now. together: all processes come there, however many places they had before."""
        self._number = (self._number // _TOGETHER + 1) * _TOGETHER if together else self._number + 1
        self._noted, self._said = time.monotonic(), False
        self._store.set(f"{_KEY}/{self._rank}", f"{self._number}|{time.time():.3f}|{what}")

    def ask_to_stop(self, reason: str) -> None:
        """Let all processes know that one was asked to stop."""
        self._store.set(_STOP, reason)

    def asked_to_stop(self) -> str:
        """Why any of the processes was asked to stop; "" where none was."""
        return self._store.get(_STOP).decode() if self._store.check([_STOP]) else ""

    def places(self) -> list[Place]:
        """Of all processes, in rank order."""
        found = []
        for rank in range(self._size):
            key = f"{_KEY}/{rank}"
            number, since, what = ["0", "0", "nowhere"]
            if self._store.check([key]):
                number, since, what = self._store.get(key).decode().split("|", 2)
            found.append(Place(int(number), what, float(since)))
        return found

    def behind(self, places: list[Place]) -> list[int]:
        """The processes that have noted fewer places than others; none where all are at the same."""
        furthest = max(place.number for place in places)
        return [rank for rank, place in enumerate(places) if place.number < furthest]

    def describe(self) -> str:
        """ "process 1 is still at epoch 2, step 16 (for 65 s), the others at epoch 2, step 17"."""
        places = self.places()
        late, now = self.behind(places), time.time()
        if not late:
            return f"all {self._size} processes are at {places[0].what} (for {now - places[0].since:.0f} s)"
        told = ", ".join(
            f"process {rank} is still at {places[rank].what} (for {now - places[rank].since:.0f} s)" for rank in late
        )
        ahead = next(place for rank, place in enumerate(places) if rank not in late)
        return f"{told}; the others are at {ahead.what}"

    def _look(self) -> None:
        while not self._ended.wait(min(5.0, self._say_after / 4)):
            if self._said or time.monotonic() - self._noted < self._say_after:
                continue
            self._said = True
            try:
                late = self.behind(self.places())
                speaker = next((rank for rank in range(self._size) if rank not in late), 0)
                if speaker == self._rank:
                    get_logger().error("waiting: %s", self.describe())
            except (RuntimeError, ValueError) as error:  # the process that keeps the store is gone
                get_logger().error("waiting: process 0 does not answer (%s)", str(error).splitlines()[0][:200])


_watch: Watch | None = None


def begin_watch(rank: int, world_size: int, *, say_after: float = SAY_AFTER) -> None:
    """In a process that has joined the group. Call `end_watch` before the group is left."""
    global _watch
    # The store that the group was made with; torch gives no other way to it where it was made by an address.
    store = dist.distributed_c10d._get_default_store()
    _watch = Watch(dist.PrefixStore("watch", store), rank, world_size, say_after=say_after)
    _watch.begin()


def end_watch() -> None:
    global _watch
    if _watch is not None:
        _watch.end()
    _watch = None


def note_place(what: str, *, together: bool = False) -> None:
    """This process is at `what` now: a step, a batch of an evaluation. Nothing where it is alone. together: see `Watch.note`"""
    if _watch is not None:
        _watch.note(what, together=together)


def ask_all_to_stop(reason: str) -> None:
    """This process was asked to stop, and the others are to hear of it."""
    if _watch is not None:
        _watch.ask_to_stop(reason)


def asked_to_stop() -> str:
    """Why another process was asked to stop; "" where none was, or there is none."""
    return "" if _watch is None else _watch.asked_to_stop()


def lost_process(error: RuntimeError, limit: timedelta) -> LostProcessError | None:
    """What to raise in place of an error of torch.distributed that says that another process does not answer."""
    if _watch is None or isinstance(error, LostProcessError) or not _LOST.search(str(error)):
        return None
    told: list[str] = []

    def ask() -> None:
        try:
            told.append(_watch.describe() if _watch is not None else "")
        except (RuntimeError, ValueError):
            told.append("process 0 does not answer")

    asking = threading.Thread(target=ask, daemon=True)  # the store may be as dead as the process that keeps it
    asking.start()
    asking.join(timeout=10)
    who = told[0] if told else "process 0 does not answer"
    return LostProcessError(
        f"a process of the run does not answer: {who}. Its own output tells more; they wait {limit.total_seconds():g} s for "
        "one another (COLLECTIVE_TIMEOUT). Checkpoints written so far are whole"
    )
