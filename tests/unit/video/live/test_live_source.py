"""A live source keeps the newest frames in bounded memory, counts the rest, and comes back after a break."""

import threading
import time

import numpy as np
import pytest

from slowfast.video.live import source as module
from slowfast.video.live.connection import Arrived
from slowfast.video.live.source import LiveSource
from slowfast.video.source import ClipReadError


def arrived(number: int, *, fps: float = 10.0, size: int = 100, lost: bool = False, side: int = 2) -> Arrived:
    return Arrived(number / fps, lambda: np.full((side, side, 3), number, np.uint8), size, lost)


class Scripted:
    """A connection that gives these frames, waiting on events between."""

    frame_seconds = 0.1

    def __init__(self, *script: Arrived | threading.Event, recorded: bool = False) -> None:
        self.script, self.recorded, self.closed = script, recorded, False

    def frames(self):
        for step in self.script:
            if isinstance(step, threading.Event):
                assert step.wait(5)
            else:
                yield step

    def close(self) -> None:
        self.closed = True


def connections(*made: Scripted | ClipReadError):
    """A `connect` that gives these, one after the other, and refuses then."""
    waiting = iter(made)

    def connect(address, *, answer):
        found = next(waiting, ClipReadError(address.name, None, "refused"))
        if isinstance(found, ClipReadError):
            raise found
        return found

    return connect


def source(*made, **options) -> LiveSource:
    return LiveSource("rtsp://camera/1", connect=connections(*made), back_off=(0.0, 0.0), **options)


def numbers(frames) -> list[int]:
    return [int(frame.picture()[0, 0, 0]) for frame in frames]


def wait_for(condition) -> None:
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)


def test_the_newest_frames_are_kept_the_others_dropped_counted_and_a_hole():
    begin, gate = threading.Event(), threading.Event()
    live = source(Scripted(arrived(0), begin, *map(arrived, range(1, 51)), gate, arrived(51)), keep=1.0)
    frames = live.frames()
    first = next(frames)  # and then nobody takes any until all have come
    begin.set()
    wait_for(lambda: live.counts.received == 51)
    assert len(live._waiting) in (10, 11) and live.newest == pytest.approx(5.0)
    gate.set()
    rest = list(frames)
    assert first.time == 0 and rest[-1].time == pytest.approx(5.1)
    taken = 1 + len(rest)
    assert live.counts.dropped == 52 - taken >= 39 and live.counts.received == 52
    assert numbers(rest) == list(range(52 - len(rest), 52))
    assert live.damaged == ((0.0, pytest.approx(rest[0].time)),)
    assert live.broke.startswith("the stream broke and did not come back in 2 tries: refused")


def test_what_waits_is_bounded_in_bytes_too(monkeypatch):
    monkeypatch.setattr(module, "KEPT_BYTES", 350)
    gate = threading.Event()
    live = source(Scripted(*map(arrived, range(20)), gate))
    frames = live.frames()
    next(frames)
    wait_for(lambda: live.counts.received == 20)
    assert live._waiting_bytes <= 350 and len(live._waiting) <= 3
    gate.set()
    assert numbers(frames) in ([17, 18, 19], [18, 19]) and live.counts.dropped >= 15


def test_what_is_recorded_waits_and_nothing_is_dropped():
    live = source(Scripted(*map(arrived, range(200)), recorded=True), keep=0.5)
    taken = []
    for frame in live.frames():
        taken.append(frame)
        assert len(live._waiting) <= 7
    assert numbers(taken) == list(range(200)) and live.damaged == () and live.broke == ""
    assert vars(live.counts) == {"received": 200, "dropped": 0, "lost": 0, "reconnected": 0}


def test_a_break_is_a_hole_and_said_and_every_connection_is_closed():
    said: list[str] = []
    one, two = Scripted(arrived(7), arrived(8)), Scripted(arrived(0), arrived(1))
    live = source(one, ClipReadError("", None, "no answer"), two, say=said.append, keep=100)
    frames = list(live.frames())
    assert numbers(frames) == [7, 8, 0, 1] and live.counts.reconnected == 1 and one.closed and two.closed
    times = [frame.time for frame in frames]
    assert times[:2] == pytest.approx([0, 0.1]) and times[2] >= 0.2 and times[3] - times[2] == pytest.approx(0.1)
    assert live.damaged == ((times[1], times[2]),)  # however short: it may be another picture
    assert said[:3] == [
        "rtsp://camera/1: it ended or stopped answering; try 1 of 2 in 0 s",
        "rtsp://camera/1: no answer; try 2 of 2 in 0 s",
        "rtsp://camera/1: connected again",
    ]
    assert live.arrived(times[3]) >= live.arrived(times[0])
    with pytest.raises(ValueError, match="rtsp://camera/1 is live and can be read once"):
        next(live.frames())


def test_damaged_frames_are_left_out_and_only_a_long_hole_is_one():
    script = [arrived(n, lost=n in (2, 5, 6, 7)) for n in range(10)]
    live = source(Scripted(*script), keep=100)
    assert numbers(live.frames()) == [0, 1, 3, 4, 8, 9] and live.counts.lost == 4
    assert live.damaged == ((pytest.approx(0.4), pytest.approx(0.8)),)


def test_holes_and_arrivals_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(module, "_ARRIVALS_KEPT", 1000)
    script = [arrived(n, lost=n % 10 > 4) for n in range(10_000)]
    live = source(Scripted(*script, recorded=True), keep=100)
    most = max(len(live.damaged) for _ in live.frames())
    assert most <= 122 and len(live._given) == 1000


def test_it_ends_after_some_seconds_or_when_it_is_stopped():
    live = source(Scripted(*map(arrived, range(50))), seconds=2.0, keep=100)
    assert numbers(live.frames()) == list(range(20)) and live.broke == ""
    gate = threading.Event()
    live = source(Scripted(*map(arrived, range(5)), gate, arrived(5)), keep=100)
    frames = live.frames()
    next(frames)
    live.stop()
    gate.set()
    assert list(frames) == [] and live.broke == ""


def test_nothing_from_the_start_is_an_error_and_an_unforeseen_one_is_raised():
    with pytest.raises(ClipReadError, match=r"cannot read rtsp://camera/1: refused"):
        list(source().frames())
    with pytest.raises(ClipReadError, match="the connection was there, but not one frame came"):
        list(source(Scripted()).frames())
    with pytest.raises(ClipReadError, match="not one frame could be decoded"):
        list(source(Scripted(recorded=True)).frames())

    def broken(address, *, answer):
        raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        list(LiveSource("webcam", connect=broken).frames())
    with pytest.raises(ValueError, match=r"v.mp4 names no live source; give webcam:N, a URL of a stream, or -"):
        LiveSource("v.mp4")
    with pytest.raises(ValueError, match="--seconds is how long a live source is read and must be above 0, got 0"):
        LiveSource("webcam", seconds=0)


def test_another_frame_size_after_a_break_is_an_error():
    live = source(Scripted(arrived(0)), Scripted(arrived(1, side=4)))
    with pytest.raises(ClipReadError, match=r"the frame size \(height, width\) changes from \(2, 2\) to \(4, 4\)"):
        numbers(live.frames())
