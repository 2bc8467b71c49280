"""From a stream of frames to the clips around key frames, in one pass, with the few frames that later clips need."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from slowfast.video.source import END_SECONDS, ClipReadError, Timeline
from slowfast.video.stream import Source, TimedFrame

Region = tuple[float, float, float, float]
# A frame (H, W, 3) uint8 RGB and the width of its pixels by their height -> its part of the input (3, 1, h, w) uint8, and
# the region of the frame that this shows.
Prepare = Callable[[np.ndarray, float], tuple[Tensor, Region]]


@dataclass(frozen=True)
class StreamedClip:
    """The clip around a key frame.

    time:       second of the key frame
    frame_size: (height, width) of the frame in pixels
    clip:       (3, T, h, w) uint8 RGB
    region:     as in ClipMeta
    repeated:   how many of the T repeat the first or last frame of the video
    shown:      the T frames it is made of; clips that share a frame share the object
    """

    time: float
    frame_size: tuple[int, int]
    clip: Tensor
    region: Region
    repeated: int
    shown: tuple["ShownFrame", ...] = ()


@dataclass(frozen=True)
class SkippedMoment:
    """A key frame without a clip, and why: the data is damaged there, or the video starts later."""

    time: float
    reason: str


class ShownFrame:
    """A frame as the network is shown it, made once for all the clips it is in.

    size:     (height, width) of the frame in pixels
    pixels:   (3, 1, h, w) uint8 RGB; region: as in ClipMeta
    features: what a network made of this frame alone, for `frame_reuse`; gone with the frame
    """

    features: Tensor | None = None

    def __init__(self, frame: TimedFrame, prepare: Prepare) -> None:
        picture = frame.picture()
        self.size = (picture.shape[0], picture.shape[1])
        self.pixels, self.region = prepare(picture, frame.pixel_aspect())


class ClipStream:
    """Iterates over the clips around second 0, `every`, 2 * `every`, ... of a source, as StreamedClip or SkippedMoment.

    Which frame is shown at a time, and what damage and the ends of a video do, is decided by Timeline, as where a file
    is read at given times. Kept are only the frames that a clip yet to come may show; `kept` and `most_kept` count them.

    offsets: gives the (T,) seconds of a clip's frames from its key frame, from the nominal duration of a frame
    center:  position of the key frame among them
    """

    def __init__(
        self,
        source: Source,
        *,
        every: float,
        offsets: Callable[[float], np.ndarray],
        center: int,
        prepare: Prepare,
    ) -> None:
        check_every(every)
        self.source, self.every, self.center = source, float(every), center
        self.frames_read, self.seconds_read, self.most_kept = 0, 0.0, 0
        self._offsets_of, self._prepare = offsets, prepare
        self._times: deque[float] = deque()
        self._frames: deque[TimedFrame | ShownFrame | None] = deque()
        self._next = 0  # number of the next key frame
        self._held = 0  # of `_frames`, those that are not None
        self._tolerance, self._reach = (
            0.0,
            (0.0, 0.0),
        )  # reach: seconds of a clip's first and last frame from its key frame

    @property
    def kept(self) -> int:
        """Frames that are held now."""
        return self._held

    def __iter__(self) -> Iterator[StreamedClip | SkippedMoment]:
        self.frames_read, self.seconds_read, self.most_kept, self._next, self._held = 0, 0.0, 0, 0, 0
        self._times.clear()
        self._frames.clear()
        offsets = np.zeros(1)
        for frame in self.source.frames():
            if not self._times:
                offsets = self._offsets_of(self.source.frame_seconds)
                self._reach = float(offsets.min()), float(offsets.max())
                self._tolerance = Timeline("", np.zeros(1), self.source.frame_seconds, 0.0).tolerance
            self._take(frame, offsets)
            while self._key_time + self._reach[1] + self._tolerance < frame.time:
                yield self._make(offsets, np.inf)
        end = self._times[-1] + self.source.last_duration
        self.seconds_read = end
        while self._key_time + END_SECONDS < end:
            yield self._make(offsets, end)

    @property
    def _key_time(self) -> float:
        return self._next * self.every

    def _timeline(self, end: float) -> Timeline:
        """Of the frames that are kept."""
        source = self.source
        return Timeline(source.name, np.array(self._times), source.frame_seconds, end, source.damaged)

    def _take(self, frame: TimedFrame, offsets: np.ndarray) -> None:
        """Keep a new frame, and the one before it only if some clip can show it, which is known now."""
        if self._times:
            low = -np.inf if self.frames_read == 1 else self._times[-1] - self._tolerance
            if not self._asked_between(low, frame.time + self._tolerance, offsets):
                self._drop(-1)
        self._times.append(frame.time)
        self._frames.append(frame)
        self._held += 1
        self.frames_read, self.seconds_read = self.frames_read + 1, frame.time
        self._forget()
        self.most_kept = max(self.most_kept, self._held)

    def _asked_between(self, low: float, high: float, offsets: np.ndarray) -> bool:
        """A clip that is yet to be made has a frame at a time from `low` to `high`."""
        first = np.maximum(np.ceil((low - offsets) / self.every), self._next)
        return bool((first * self.every + offsets <= high).any())

    def _forget(self) -> None:
        """Drop the frames before the one on screen at the start of the next clip."""
        start = self._key_time + self._reach[0]
        while len(self._times) > 1 and self._times[1] <= start:
            self._drop(0)
            self._times.popleft()
            self._frames.popleft()

    def _drop(self, index: int) -> None:
        self._held -= self._frames[index] is not None
        self._frames[index] = None

    def _make(self, offsets: np.ndarray, end: float) -> StreamedClip | SkippedMoment:
        time = self._key_time
        self._next += 1
        try:
            indices, repeated = self._timeline(end).at_times(time + offsets, center=self.center)
        except ClipReadError as error:
            return SkippedMoment(time, error.reason)
        shown = tuple(self._ready(index) for index in indices.tolist())
        key = shown[self.center]
        clip = torch.cat([frame.pixels for frame in shown], dim=1)
        self._forget()
        return StreamedClip(time, key.size, clip, key.region, repeated, shown)

    def _ready(self, index: int) -> ShownFrame:
        frame = self._frames[index]
        if isinstance(frame, TimedFrame):
            frame = self._frames[index] = ShownFrame(frame, self._prepare)
        if frame is None:
            raise RuntimeError(f"{self.source.name}: a frame at {self._times[index]:.3f} s was dropped too early")
        return frame


def check_every(every: float) -> None:
    """Raises ValueError for seconds between key frames that are none."""
    if not (np.isfinite(every) and every > 0):
        raise ValueError(f"--every is the seconds from one key frame to the next and must be above 0, got {every:g}")
