"""A video as a stream of frames, read once and forward: what prediction takes its pictures from."""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from slowfast.video.decoding.open_video import OpenVideo, UnreadableError, named_errors

# Timestamps that run backwards (packed B-frames in AVI) are put in order among so many frames.
REORDERED = 8


def square() -> float:
    """The aspect of pixels of which nothing else is known."""
    return 1.0


@dataclass(frozen=True)
class TimedFrame:
    """A frame and when it is shown.

    time:    seconds since the start of the video
    picture: gives (H, W, 3) uint8 RGB, upright; converted when it is asked for, as most frames are in no clip
    pixel_aspect: gives the width of a pixel by its height as a player shows it, once the picture was asked for
    """

    time: float
    picture: Callable[[], np.ndarray]
    pixel_aspect: Callable[[], float] = square


class Source(Protocol):
    """Frames one after the other: a file, or something live.

    name: what errors and outputs call it
    """

    @property
    def name(self) -> str: ...

    @property
    def frame_seconds(self) -> float:
        """Nominal duration of a frame, known once the first frame was given."""

    @property
    def last_duration(self) -> float:
        """Seconds that the frame given last is shown for."""

    @property
    def damaged(self) -> tuple[tuple[float, float], ...]:
        """As in Timeline: between which frames given so far the data could not be decoded."""

    def frames(self) -> Iterator[TimedFrame]:
        """Every frame, times never falling. Raises ClipReadError where it cannot be read, or holds no frame."""


class FileSource:
    """A video file as a Source. Every call of `frames` reads it again from its start.

    threads: decoding threads, 0 for as many as there are cores
    """

    def __init__(self, path: str | Path, *, threads: int = 0) -> None:
        self.path, self.threads = Path(path), threads
        self._video: OpenVideo | None = None

    @property
    def name(self) -> str:
        return str(self.path)

    def length_told(self) -> float | None:
        """Seconds that the file says it has, for progress alone: it may be wrong, or missing."""
        with named_errors(self.path, None), OpenVideo(self.path, threads=1) as video:
            return video.length_told

    @property
    def _opened(self) -> OpenVideo:
        if self._video is None:
            raise RuntimeError(f"{self.name}: what is known of a video is known once its first frame was read")
        return self._video

    @property
    def frame_seconds(self) -> float:
        return self._opened.frame_seconds

    @property
    def last_duration(self) -> float:
        return self._opened.last_duration

    @property
    def damaged(self) -> tuple[tuple[float, float], ...]:
        return self._opened.damaged

    def frames(self) -> Iterator[TimedFrame]:
        last = -np.inf
        with named_errors(self.path, None), OpenVideo(self.path, threads=self.threads, remember=False) as video:
            self._video = video
            for second, frame in _in_order(video):
                if second < last:
                    raise UnreadableError(f"its timestamps run backwards by more than {REORDERED} frames")
                last = second
                yield TimedFrame(second, partial(self._picture, video, frame), partial(_pixel_aspect, video))
            if last == -np.inf:
                raise UnreadableError("not one frame could be decoded")

    def _picture(self, video: OpenVideo, frame: object) -> np.ndarray:
        with named_errors(self.path, None):
            return video.rgb(frame)  # type: ignore[arg-type]  # PyAV's, which nobody else need know


def _pixel_aspect(video: OpenVideo) -> float:
    return video.pixel_aspect


def _in_order(video: OpenVideo) -> Iterator[tuple[float, object]]:
    """Frames in the decoder's order with their timestamps sorted, as `OpenVideo.timeline` pairs them."""
    times: list[float] = []
    waiting: deque[object] = deque()
    for second, frame in video.frames():
        heapq.heappush(times, second)
        waiting.append(frame)
        if len(waiting) > REORDERED:
            yield heapq.heappop(times), waiting.popleft()
    while waiting:
        yield heapq.heappop(times), waiting.popleft()
