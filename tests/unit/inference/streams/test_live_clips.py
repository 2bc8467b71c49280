"""Clips of a live source: those of a file where nothing is late, and what is late or missing is skipped and said."""

import threading
import time

import numpy as np
import pytest
import torch

from slowfast.inference.streams.clip_stream import ClipStream, SkippedMoment, StreamedClip
from slowfast.inference.streams.live_clips import LiveClips
from slowfast.video.live.connection import Arrived
from slowfast.video.live.source import LiveSource
from slowfast.video.stream import TimedFrame

SPREAD = np.arange(-4, 4) * 0.2
WHOLE = (0.0, 0.0, 1.0, 1.0)


def as_tensor(picture, pixel_aspect):
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[:, None], WHOLE


def frame(number: int, *, lost: bool = False) -> Arrived:
    return Arrived(number / 10, lambda: np.full((2, 2, 3), number, np.uint8), 12, lost)


class Paced:
    """Frames numbered from 0, ten for each second of the video; a number waits until `clock` is there."""

    frame_seconds = 0.1

    def __init__(self, numbers, *, recorded: bool = False, lost=(), hold: dict[int, threading.Event] | None = None):
        self.numbers, self.recorded, self.lost, self.hold = numbers, recorded, lost, hold or {}

    def frames(self):
        for number in self.numbers:
            if number in self.hold:
                assert self.hold[number].wait(5)
            yield frame(number, lost=number in self.lost)

    def close(self) -> None:
        """Nothing to close."""


def live_clips(*connections: Paced, every: float = 0.5) -> LiveClips:
    waiting = iter(connections)
    source = LiveSource("webcam", connect=lambda address, answer: next(waiting), back_off=())
    return LiveClips(source, every=every, offsets=lambda _: SPREAD, center=4, prepare=as_tensor)


class Drawn:
    name, damaged, frame_seconds, last_duration = "drawn", (), 0.1, 0.1

    def frames(self):
        for number in range(30):
            yield TimedFrame(number / 10, frame(number).picture)


def pixels(clips) -> list:
    return [(clip.time, clip.repeated, clip.clip[0, :, 0, 0].tolist()) for clip in clips]


def test_where_nothing_is_late_they_are_those_of_a_file():
    plain = ClipStream(Drawn(), every=0.5, offsets=lambda _: SPREAD, center=4, prepare=as_tensor)
    clips = live_clips(Paced(range(30), recorded=True))
    assert pixels(clips) == pixels(plain) and clips.behind == 0
    assert clips.live.keep == pytest.approx(1.4 + 0.5 + 1.0)


def test_a_slow_network_gets_the_newest_key_frames_and_the_others_are_counted():
    """While the first clip is worked on, the stream goes on to second 10; then it ends at 12."""
    on, end = threading.Event(), threading.Event()
    clips = live_clips(Paced(range(120), hold={10: on, 101: end}))
    made = iter(clips)
    first = next(made)
    assert isinstance(first, StreamedClip) and first.time == 0
    on.set()
    while clips.live.newest < 10:
        time.sleep(0.002)
    rest = []
    for clip in made:
        rest.append(clip)
        end.set()
    late = [clip for clip in rest if isinstance(clip, SkippedMoment) and clip.reason.startswith("to keep up: the str")]
    assert clips.behind == len(late) >= 15 and late[0].time == 0.5
    assert [clip.time for clip in rest] == [0.5 * k for k in range(1, 24)]  # each key frame is told once
    shown = [clip for clip in rest if isinstance(clip, StreamedClip)]
    assert shown and clips.live.counts.dropped > 50
    for clip in shown:  # by hand: no picture is another time's
        wanted = np.round((clip.time + SPREAD) * 10).clip(0, 119).astype(int)
        assert clip.clip[0, :, 0, 0].tolist() == wanted.tolist()


def test_a_clip_that_reaches_into_a_hole_is_skipped():
    clips = live_clips(Paced(range(60), recorded=True, lost=range(22, 30)))
    made = list(clips)
    good = [clip.time for clip in made if isinstance(clip, StreamedClip)]
    bad = [clip for clip in made if isinstance(clip, SkippedMoment)]
    assert good == [0, 0.5, 1.0, 1.5, 4.0, 4.5, 5.0, 5.5] and [clip.time for clip in bad] == [2.0, 2.5, 3.0, 3.5]
    assert bad[0].reason == "frames are missing between second 2.100 and second 3.000, and the clip reaches into it"


def test_a_single_lost_frame_shows_the_one_before():
    clips = live_clips(Paced(range(30), recorded=True, lost=[11]))
    made = {clip.time: clip.clip[0, :, 0, 0].tolist() for clip in clips if isinstance(clip, StreamedClip)}
    assert len(made) == 6 and made[1.5] == [7, 9, 10, 13, 15, 17, 19, 21]
