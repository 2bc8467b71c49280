"""Being asked to stop: SIGTERM, SIGUSR1, or the end of the time that a run may take."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPED_EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: try again
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class StoppedError(Exception):
    """The run was asked to stop and has saved where it is; the same command goes on from there."""


class Requests:
    """What this process has been asked for. Nothing happens in a signal handler: the loops ask between steps (but see
    `heard_at_once`).

    time_limit: seconds from now after which the run is to stop; 0 for none
    save_every: seconds between two checkpoints within an epoch; 0 for none
    """

    def __init__(
        self, *, time_limit: float = 0.0, save_every: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock, self._save_every = clock, save_every
        self._saved = clock()
        self._ends = self._saved + time_limit if time_limit else float("inf")
        self._signal, self._at_once = "", False
        self._minutes = time_limit / 60

    @property
    def stop(self) -> str:
        """Why the run is to stop, "" where it is not."""
        if self._signal:
            return self._signal
        if self._clock() >= self._ends:
            return f"TRAIN.TIME_LIMIT, {self._minutes:g} minutes, is over"
        return ""

    @property
    def save(self) -> bool:
        """It is time for a checkpoint."""
        return bool(self._save_every) and self._clock() - self._saved >= self._save_every

    def saved(self) -> None:
        """A checkpoint was written."""
        self._saved = self._clock()

    @contextmanager
    def listening(self) -> Iterator["Requests"]:
        """Take SIGTERM and SIGUSR1 for a request while the block runs; only the main thread of a process can."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def heard_at_once(self) -> Iterator[None]:
        """A signal raises StoppedError where the block is: for long preparations that have nothing to save."""
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal = f"{signal.Signals(number).name} came"
        if self._at_once:
            raise StoppedError(f"{self._signal} before the first step: what was prepared is kept, nothing was trained")
