"""A live source as a stream of frames: a thread reads on, keeps the newest frames, drops the older, and reconnects."""

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from slowfast.video.live.address import LiveAddress, live_address
from slowfast.video.live.axis import LiveAxis
from slowfast.video.live.connection import ANSWER_SECONDS, FORWARD_ONLY, Arrived, Connection, connect
from slowfast.video.source import ClipReadError
from slowfast.video.stream import TimedFrame

KEPT_SECONDS = 10.0  # of frames that wait to be taken, at most
KEPT_BYTES = 256 * 1024 * 1024
BACK_OFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)  # before each further try of a connection that was there and broke
BRIDGED_SECONDS = 0.25  # a hole of at most so long shows the frame before it, as a player does
_HOLES_KEPT_SECONDS = 120.0  # longer than any clip
_JOIN_SECONDS = 1.0  # a thread that waits for data ends when it comes, or with the program
_ARRIVALS_KEPT = 8192  # frames whose arrival is remembered
Connect = Callable[..., Connection]


@dataclass(frozen=True)
class _Kept:
    """time: on the axis of the stream; at: when it came; hole: frames before it are missing; anew: first of a connection"""

    time: float
    at: float
    frame: Arrived
    hole: bool
    anew: bool


@dataclass
class LiveCounts:
    """Frames. received: that came; dropped: for want of time; lost: damaged on the way; reconnected: connections after the first"""

    received: int = 0
    dropped: int = 0
    lost: int = 0
    reconnected: int = 0


class LiveSource:
    """A camera, a stream by URL or standard input as a Source (slowfast.video.stream). It can be read once.

    What waits to be taken is bounded by `keep` seconds and KEPT_BYTES; the oldest frames go first, and `counts` tells how
    many. What is recorded (a pipe; a file behind http) is not dropped: its reader waits.
    A connection that breaks is tried again after each of `back_off` seconds (BACK_OFF_SECONDS), and from the start once it gave a frame.

    seconds: end after so many; None for no end
    say:     is told when the connection breaks and is back, from the thread that reads
    answer:  seconds in which a connection must answer

    Second 0 is the first frame. Frames of a connection are spaced as the sender says; a new one goes on by this machine's
    clock, and what is missing between is a hole: see `damaged`.
    """

    def __init__(
        self,
        address: LiveAddress | str,
        *,
        seconds: float | None = None,
        keep: float = KEPT_SECONDS,
        back_off: tuple[float, ...] | None = None,
        answer: float = ANSWER_SECONDS,
        say: Callable[[str], None] = lambda text: None,
        connect: Connect = connect,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        found = live_address(address) if isinstance(address, str) else address
        if found is None:
            raise ValueError(f"{address} names no live source; give webcam:N, a URL of a stream, or -")
        if seconds is not None and not (np.isfinite(seconds) and seconds > 0):
            raise ValueError(f"--seconds is how long a live source is read and must be above 0, got {seconds:g}")
        self.address, self.name = found, found.name
        self.keep, self.seconds = keep, seconds
        self.counts = LiveCounts()
        self.newest = 0.0  # time of the last frame that came
        self.frame_seconds = 0.04
        self.recorded = False
        self._back_off = BACK_OFF_SECONDS if back_off is None else back_off
        self._answer, self._say, self._connect, self.clock = answer, say, connect, clock
        self._axis = LiveAxis()
        self._waiting: deque[_Kept] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._stopped = self._ended = self._wanted = False
        self._broke = ""
        self._failed: Exception | None = None
        self._hole = self._anew = self._fresh = False  # of the next frame that comes, and of the next that is kept
        self._thread: threading.Thread | None = None
        self._holes: list[tuple[float, float]] = []
        self._given: deque[tuple[float, float]] = deque(maxlen=_ARRIVALS_KEPT)
        self._size: tuple[int, ...] | None = None

    # ------------------------------------------------------------------------------------------------- as a Source

    @property
    def last_duration(self) -> float:
        """Seconds that the frame given last is shown for."""
        return self.frame_seconds

    @property
    def damaged(self) -> tuple[tuple[float, float], ...]:
        """(a, b) pairs: frames between the one at a and the one at b were dropped, damaged or not sent; recent ones."""
        return tuple(self._holes)

    @property
    def broke(self) -> str:
        """Why the stream ended before it was to; "" where it did not."""
        return "" if self._wanted else self._broke

    def frames(self) -> Iterator[TimedFrame]:
        """Raises ClipReadError where it cannot be read from the start, ValueError where it was read before."""
        if self._thread is not None:
            raise ValueError(f"{self.name} is live and can be read once")
        self._thread = threading.Thread(target=self._read, name=f"reads {self.name}", daemon=True)
        self._thread.start()
        try:
            while (kept := self._take()) is not None:
                if self.seconds is not None and kept.time >= self.seconds:
                    self._wanted = True
                    return
                self._note(kept)
                yield TimedFrame(kept.time, partial(self._picture, kept.frame), kept.frame.pixel_aspect)
            if self._failed is not None:
                raise self._failed
        finally:
            self._stopped = True
            self._thread.join(_JOIN_SECONDS)

    def stop(self) -> None:
        """End the stream as if it were over; may be called from a signal handler."""
        self._wanted = self._stopped = True

    def arrived(self, second: float) -> float:
        """When (on `clock`) the frame shown at `second` came; of frames long ago, that of the oldest remembered."""
        times = [t for t, _ in self._given]
        index = bisect_left(times, second - self.frame_seconds / 2)
        return self._given[min(index, len(times) - 1)][1]

    def _note(self, kept: _Kept) -> None:
        """Remember the hole before a frame, and when it came; forget those that no clip reaches."""
        if self._given and kept.hole:
            before = self._given[-1][0]
            if kept.anew or kept.time - before > max(BRIDGED_SECONDS, 1.5 * self.frame_seconds):
                self._holes = [hole for hole in self._holes if hole[1] > kept.time - _HOLES_KEPT_SECONDS]
                self._holes.append((before, kept.time))
        self._given.append((kept.time, kept.at))

    def _picture(self, frame: Arrived) -> np.ndarray:
        picture = frame.picture()
        if self._size is None:
            self._size = picture.shape
        if picture.shape != self._size:
            raise ClipReadError(
                self.name, None, f"the frame size (height, width) changes from {self._size[:2]} to {picture.shape[:2]}"
            )
        return picture

    def _take(self) -> _Kept | None:
        """The oldest frame that waits, once there is one; None at the end."""
        with self._changed:
            while not self._waiting:
                if self._ended or self._stopped:
                    return None
                self._changed.wait(0.1)  # a signal handler may not lock, so `stop` wakes nobody
            if self._stopped:
                return None
            kept = self._waiting.popleft()
            self._waiting_bytes -= kept.frame.size
            self._changed.notify_all()
            return kept

    # ------------------------------------------------------------------------------------------- the thread that reads

    def _read(self) -> None:
        try:
            self._read_on()
        except ClipReadError as error:
            self._failed = error
        except Exception as error:  # a thread's traceback is lost; the one who takes frames raises it
            self._failed = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _read_on(self) -> None:
        """The first connection must succeed at once; later ones have their tries."""
        connection = self._connect(self.address, answer=self._answer)
        while True:
            before = self.counts.received
            self._read_one(connection)
            if self._stopped or self.recorded:
                if self.counts.received == 0 and not self._stopped:
                    why = f"; {FORWARD_ONLY}" if self.address.kind == "pipe" else ""
                    raise ClipReadError(self.name, None, f"not one frame could be decoded{why}")
                return
            if self.counts.received == before == 0:
                raise ClipReadError(self.name, None, "the connection was there, but not one frame came")
            found = self._again()
            if found is None:
                return
            connection = found
            self.counts.reconnected += 1
            self._say(f"{self.name}: connected again")

    def _read_one(self, connection: Connection) -> None:
        """All frames of a connection, which is closed."""
        self.frame_seconds, self.recorded = connection.frame_seconds, connection.recorded
        self._anew = self._fresh = True
        try:
            for frame in connection.frames():
                if self._stopped:
                    return
                self._put(frame)
        finally:
            connection.close()

    def _again(self) -> Connection | None:
        """A new connection; None where no try succeeds, or the source was stopped."""
        reason = "it ended or stopped answering"
        for number, seconds in enumerate(self._back_off, start=1):
            self._say(f"{self.name}: {reason}; try {number} of {len(self._back_off)} in {seconds:g} s")
            until = self.clock() + seconds
            while self.clock() < until:
                if self._stopped:
                    return None
                time.sleep(min(0.05, seconds))
            try:
                return self._connect(self.address, answer=self._answer)
            except ClipReadError as error:
                reason = error.reason
        self._broke = f"the stream broke and did not come back in {len(self._back_off)} tries: {reason}"
        return None

    def _put(self, frame: Arrived) -> None:
        with self._changed:
            at, self.counts.received = self.clock(), self.counts.received + 1
            moment = self._axis.time(
                frame.second, at, frame_seconds=self.frame_seconds, anew=self._anew, recorded=self.recorded
            )
            self.newest, self._anew = moment, False
            if frame.lost:
                self.counts.lost += 1
                self._hole = True
                return
            kept = _Kept(moment, at, frame, self._hole or self._fresh, self._fresh)
            self._hole = self._fresh = False
            while self.recorded and self._is_full(kept) and not self._stopped:
                self._changed.wait(0.1)
            self._waiting.append(kept)
            self._waiting_bytes += frame.size
            while not self.recorded and len(self._waiting) > 1 and self._is_full():
                self._drop_oldest()
            self._changed.notify_all()

    def _is_full(self, new: _Kept | None = None) -> bool:
        if not self._waiting:
            return False
        newest, size = (self._waiting[-1].time, 0) if new is None else (new.time, new.frame.size)
        return newest - self._waiting[0].time > self.keep or self._waiting_bytes + size > KEPT_BYTES

    def _drop_oldest(self) -> None:
        old = self._waiting.popleft()
        self._waiting_bytes -= old.frame.size
        self.counts.dropped += 1
        first = self._waiting[0]
        self._waiting[0] = _Kept(first.time, first.at, first.frame, True, first.anew or old.anew)
