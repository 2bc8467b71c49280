"""A run that would read nothing ends before it starts."""

from types import SimpleNamespace

import numpy as np
import pytest

from slowfast.datasets.annotations.people.key_frames import KeyFrames
from slowfast.datasets.clips.key_frame_clips import FrameClock, SecondClock
from slowfast.datasets.split import KeyFrameSplit, VideoSplit
from slowfast.tasks import probing
from slowfast.video.source import ClipPixels, ClipReadError, VideoLength

COUNT = 100


class Pixels:
    """Videos "0" to "99"; only those in `good` can be read."""

    def __init__(self, good):
        self.good, self.asked = {str(number) for number in good}, []

    def _read(self, video, where):
        self.asked.append((video, where.tolist()))
        if video not in self.good:
            raise ClipReadError(f"{video}.mp4", None, "no such file")
        return np.zeros((1, 4, 4, 3), np.uint8)

    def read(self, video, times, *, center):
        return ClipPixels(self._read(video, times), 0)

    def read_frames(self, video, numbers, *, center):
        return ClipPixels(self._read(video, numbers), 0)

    def length(self, video):
        return VideoLength(np.arange(9) / 10, 10)

    def read_positions(self, video, positions, *, short_side=None):
        return self._read(video, positions)


def of_key_frames(pixels, clock):
    index = np.arange(COUNT, dtype=np.int32)
    nobody = np.zeros((0, 4), np.float32), np.zeros((0, 3), np.uint8)
    key_frames = KeyFrames(tuple(map(str, range(COUNT))), index, index + 902, np.zeros(COUNT + 1, np.int32), *nobody)
    return KeyFrameSplit(SimpleNamespace(key_frames=key_frames), pixels, clock)


def of_videos(pixels):
    return VideoSplit(SimpleNamespace(names=tuple(map(str, range(COUNT)))), pixels)


SPLITS = {
    "seconds": lambda pixels: of_key_frames(pixels, SecondClock(30, 900)),
    "frames": lambda pixels: of_key_frames(pixels, FrameClock()),
    "videos": of_videos,
}


def try_some(data, most=0.5):
    probing.try_some_clips(SimpleNamespace(DATA=SimpleNamespace(MAX_UNREADABLE=most)), "train", data)


@pytest.mark.parametrize("kind", SPLITS)
def test_nothing_readable_ends_the_run(kind):
    pixels = Pixels(())
    message = (
        r"train: none of 16 clips that were tried, of 100, can be read, so the run ends before it starts; likeliest reason "
        r"\(16 of 16\): the files are not where they are looked for(?s:.*)\n  - cannot read \d+.mp4: no such file\n  - \.\.\."
    )
    with pytest.raises(ValueError, match=message):
        try_some(SPLITS[kind](pixels))
    assert len({video for video, _ in pixels.asked}) == probing.CLIPS_TRIED
    try_some(SPLITS[kind](pixels), most=1)  # all of them may be lost


@pytest.mark.parametrize("kind", SPLITS)
def test_one_that_can_be_read_is_enough(kind):
    everything = Pixels(range(COUNT))
    try_some(SPLITS[kind](everything))
    ((video, where),) = everything.asked
    assert where == {"seconds": [int(video) + 2.0], "frames": [int(video) + 902], "videos": [4]}[kind]
    tried = Pixels(())
    with pytest.raises(ValueError, match="none of 16"):
        try_some(SPLITS[kind](tried))
    last = Pixels([tried.asked[-1][0]])
    try_some(SPLITS[kind](last))
    assert len(last.asked) == probing.CLIPS_TRIED


def test_few_clips_and_causes_that_nobody_knows(monkeypatch):
    class Odd(Pixels):
        def _read(self, video, where):
            raise ClipReadError(video, None, "who knows")

    monkeypatch.setattr(f"{__name__}.COUNT", 2)
    with pytest.raises(
        ValueError, match=r"none of 2 clips that were tried, of 2, can be read, so [a-z ]+\n  - .*\n  - .*$"
    ):
        try_some(of_videos(Odd(())))


def test_what_one_process_cannot_read_ends_all(monkeypatch):
    monkeypatch.setattr(probing.distributed, "gather_objects", lambda mine: [mine, ["cannot read b.mp4: no such file"]])
    with pytest.raises(ValueError, match="none of 1 clips"):
        try_some(of_videos(Pixels(range(COUNT))))
