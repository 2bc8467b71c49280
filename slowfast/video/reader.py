"""Pixels from video files, addressed by second or by frame number, without an extraction step (PyAV).

Time 0 is where a player starts: the start time of the container, which may lie before its first picture. Header frame
counts are never used. Frames come in the order the decoder shows them, upright (display rotation applied).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from slowfast.video.source import ROUNDING_SECONDS, ClipPixels, ClipReadError, Timeline

VIDEO_EXTENSIONS = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ts")
# Frames decoded past the last one needed, so that timestamps which run backwards (packed B-frames) show up.
_LOOK_BEYOND = 2
_SEEK_BACK_SECONDS = (0.0, 2.0, 20.0)  # how much earlier to look when the key frame that a seek finds comes too late


class _UnreadableError(Exception):
    """Why a file cannot be read; `named_errors` adds which file and where."""


@contextmanager
def named_errors(path: str | Path, at: float | None, unit: str = "s") -> Iterator[None]:
    try:
        yield
    except (av.error.FFmpegError, _UnreadableError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ClipReadError(str(path), at, reason, unit) from error


class OpenVideo:
    """One video file, open for decoding forward once. Use as a context manager.

    threads: decoding threads, 0 for as many as there are cores
    """

    def __init__(self, path: str | Path, *, threads: int = 0) -> None:
        self.path = str(path)
        self._container = av.open(self.path)
        if not self._container.streams.video:
            raise _UnreadableError("it holds no video stream")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = threads
        # average_rate is 25 in some AVIs of 29.97 fps; the guess looks at the timestamps too.
        rate = self._stream.guessed_rate or self._stream.average_rate or self._stream.base_rate
        if not rate:
            raise _UnreadableError("it tells no frame rate")
        self.frame_seconds = float(1 / rate)
        self._time_base = self._stream.time_base or Fraction(1, av.time_base)
        self._zero = self._start_second()
        self._times: list[float] = []
        self._last_duration = self.frame_seconds
        self._damaged: list[list[float]] = []
        self._damage_second = -np.inf  # of the last packet that could not be decoded
        self._size: tuple[int, int] | None = None
        self.disordered = False  # timestamps were missing or ran backwards

    def __enter__(self) -> "OpenVideo":
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def _start_second(self) -> float:
        ticks = self._stream.start_time
        stream_start = 0.0 if ticks is None else float(ticks * self._time_base)
        if self._container.start_time is None:
            return stream_start
        start = self._container.start_time / av.time_base
        # Audio may start a few ms before 0 (encoder priming, never heard): the picture does not move for that.
        return start if start >= 0 else min(stream_start, 0.0)

    def seek(self, second: float) -> bool:
        """Go to the key frame at or before `second`; False where the file cannot seek."""
        try:
            ticks = int((self._zero + second) / self._time_base)
            self._container.seek(ticks, stream=self._stream, backward=True)
        except (av.error.FFmpegError, OverflowError):
            return False
        return True

    def frames(self, *, from_key_frame: bool = False) -> Iterator[tuple[float, av.VideoFrame]]:
        """(second, frame) of every frame from here on, in the order they are shown.

        from_key_frame: leave out what comes before the first key frame; after a seek its references are missing.
        """
        waiting = from_key_frame
        for packet in self._packets():
            try:
                decoded = packet.decode()
            except av.error.FFmpegError:
                self._mark_damage(None if packet.pts is None else self._second(packet.pts))
                continue
            for frame in decoded:
                if waiting and not frame.key_frame:
                    continue
                waiting = False
                yield self._note(frame), frame

    def _packets(self) -> Iterator[av.Packet]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:
                self._mark_damage(None)
                return
            yield packet

    def _second(self, pts: int) -> float:
        return float(pts * self._time_base) - self._zero

    def _mark_damage(self, second: float | None) -> None:
        """Whatever follows the last frame shown is in doubt, until a key frame that is later than the broken packet."""
        if second is not None:
            self._damage_second = max(self._damage_second, second)
        if not self._damaged or np.isfinite(self._damaged[-1][1]):
            self._damaged.append([self._times[-1] if self._times else -np.inf, np.inf])

    def _note(self, frame: av.VideoFrame) -> float:
        """The second the frame is shown at; keeps the timeline."""
        previous = self._times[-1] if self._times else None
        if frame.pts is None:
            self.disordered = True
            second = 0.0 if previous is None else previous + self.frame_seconds
        else:
            second = self._second(frame.pts)
            self.disordered |= previous is not None and second <= previous
        if frame.is_corrupt:
            self._mark_damage(second)
        elif frame.key_frame and self._damaged and second > self._damage_second:
            self._damaged[-1][1] = min(self._damaged[-1][1], second)
        self._times.append(second)
        if frame.duration:
            self._last_duration = float(frame.duration * (frame.time_base or self._time_base))
        return second

    def timeline(self) -> Timeline:
        """Of the frames decoded so far. Raises where there is not one.

        Timestamps that ran backwards (packed B-frames in AVI) are sorted: the order of the pictures is the decoder's.
        """
        if not self._times:
            raise _UnreadableError("not one frame could be decoded")
        times = np.sort(np.asarray(self._times, dtype=np.float64))
        damaged = tuple((low, high) for low, high in self._damaged)
        return Timeline(self.path, times, self.frame_seconds, float(times[-1] + self._last_duration), damaged)

    def rgb(self, frame: av.VideoFrame, *, short_side: int | None = None) -> np.ndarray:
        """A decoded frame -> (H, W, 3) uint8 RGB, upright; a short side longer than `short_side` is shrunk to it."""
        size = (frame.height, frame.width)
        if self._size is None:
            self._size = size
        if size != self._size:
            raise _UnreadableError(
                f"the frame size (height, width) changes from {self._size} to {size} inside the video"
            )
        picture: np.ndarray = frame.to_ndarray(format="rgb24")
        turns = round(frame.rotation / 90) % 4  # counter-clockwise
        if turns:
            picture = np.ascontiguousarray(np.rot90(picture, turns))
        return picture if short_side is None else shrink(picture, short_side)


def shrink(picture: np.ndarray, short_side: int) -> np.ndarray:
    """(H, W, 3) uint8 -> the same scaled by area so that min(H, W) = short_side; a smaller picture stays as it is."""
    height, width = picture.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def read_times(path: str | Path, times: np.ndarray, *, center: int, threads: int = 0) -> ClipPixels:
    """The frames shown at `times`, (T,) seconds in any order; decodes from the key frame before the first to the last.

    Raises ClipReadError: not a readable video, key frame beyond its ends, or damaged data within the clip.
    """
    times = np.asarray(times, dtype=np.float64)
    with named_errors(path, float(times[center])):
        # A start at or before 0 needs no seek; None decodes from the beginning.
        starts = [times.min() - back for back in _SEEK_BACK_SECONDS if times.min() - back > 0]
        for start in [*starts, None]:
            with OpenVideo(path, threads=threads) as video:
                frames = _window(video, times, start)
                if video.disordered:
                    break
                if frames is None:
                    continue
                indices, clamped = video.timeline().at_times(times, center=center)
                return _gather(video, frames, indices, clamped)
        return _read_disordered(path, times, center=center, threads=threads)


def _window(video: OpenVideo, times: np.ndarray, start: float | None) -> dict[int, av.VideoFrame] | None:
    """Decode from the key frame at `start` past the last of `times`; the frames that may be asked for, by position.

    None when the key frame found comes after the first of `times`. Only the frames on both sides of each time are
    kept: a window may be hundreds of frames long.
    """
    asked = np.sort(times)
    if start is not None and not video.seek(start):
        return None
    kept: dict[int, av.VideoFrame] = {}
    previous: av.VideoFrame | None = None
    answered, beyond = 0, 0
    for index, (second, frame) in enumerate(video.frames(from_key_frame=start is not None)):
        if index == 0:
            if start is not None and second > asked[0] + ROUNDING_SECONDS:
                return None
            kept[0] = frame
        upto = int(np.searchsorted(asked, second, side="left"))  # asked[:upto] < second
        if upto > answered and previous is not None:
            kept |= {index - 1: previous, index: frame}
        answered = max(answered, upto)
        previous = frame
        if second > asked[-1]:
            beyond += 1
            if beyond > _LOOK_BEYOND:
                break
    if previous is None:
        return kept if start is None else None
    kept[index] = previous
    return kept


def _gather(video: OpenVideo, frames: dict[int, av.VideoFrame], indices: np.ndarray, clamped: int) -> ClipPixels:
    """Convert each distinct frame once and stack them in the order asked for."""
    pictures = {index: video.rgb(frames[index]) for index in np.unique(indices).tolist()}
    return ClipPixels(np.stack([pictures[index] for index in indices.tolist()]), clamped)


def _read_disordered(path: str | Path, times: np.ndarray, *, center: int, threads: int) -> ClipPixels:
    """As `read_times`, for timestamps that run backwards: one decode of the whole file for them, one for the frames."""
    with OpenVideo(path, threads=threads) as video:
        for _ in video.frames():
            pass
        indices, clamped = video.timeline().at_times(times, center=center)
    wanted = set(indices.tolist())
    with OpenVideo(path, threads=threads) as video:
        frames = {index: frame for index, (_, frame) in enumerate(video.frames()) if index in wanted}
        return _gather(video, frames, indices, clamped)


def read_frames(path: str | Path, numbers: np.ndarray, *, center: int, threads: int = 0) -> ClipPixels:
    """Frames by number, counted from 1 in the order they are shown; decodes from the beginning, so for short videos.

    Raises ClipReadError as `read_times`.
    """
    numbers = np.asarray(numbers, dtype=np.int64)
    with named_errors(path, int(numbers[center]), "frame"), OpenVideo(path, threads=threads) as video:
        wanted = set((numbers - 1).tolist()) | {0}
        frames: dict[int, av.VideoFrame] = {}
        for index, (_, frame) in enumerate(video.frames()):
            if index - 1 not in wanted:
                frames.pop(index - 1, None)  # only the last frame of all stays without being asked for
            frames[index] = frame
            if index >= max(wanted):
                break
        indices, clamped = video.timeline().at_numbers(numbers, center=center)
        return _gather(video, frames, indices, clamped)


def read_all(path: str | Path, *, short_side: int | None = None, threads: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Decode a short video whole: ((N, H, W, 3) uint8 RGB, (N,) float64 seconds).

    short_side: shrink while decoding; a video whose short side is smaller stays as it is. Raises ClipReadError, also
    for a video that is damaged anywhere.
    """
    with named_errors(path, None), OpenVideo(path, threads=threads) as video:
        frames = [video.rgb(frame, short_side=short_side) for _, frame in video.frames()]
        timeline = video.timeline()
        if timeline.damaged:
            raise _UnreadableError(f"the data is damaged after second {timeline.damaged[0][0]:.3f}")
        return np.stack(frames), timeline.times


class VideoFiles:
    """Videos under `root`, named with or without extension, with or without sub-folders. A PixelSource.

    extensions: tried in order, lower and upper case
    threads:    decoding threads of a read, 0 for as many as there are cores
    """

    def __init__(self, root: str | Path, *, extensions: tuple[str, ...] = VIDEO_EXTENSIONS, threads: int = 0) -> None:
        self.root = Path(root)
        self.extensions = extensions
        self.threads = threads

    def path(self, video: str) -> Path:
        """The file of a video. Raises ClipReadError where there is none, or more than one."""
        exact = self.root / video
        if exact.is_file():
            return exact
        candidates = (self.root / f"{video}{e}" for lower in self.extensions for e in (lower, lower.upper()))
        found = [path for path in candidates if path.is_file()]
        # On a file system that ignores case, both spellings are one file.
        distinct = [path for i, path in enumerate(found) if not any(path.samefile(other) for other in found[:i])]
        if len(distinct) == 1:
            return distinct[0]
        if distinct:
            names = ", ".join(path.name for path in distinct)
            raise ClipReadError(str(exact), None, f"several files have this name: {names}; keep one")
        tried = " ".join(self.extensions)
        reason = f"no such file, with none of the extensions {tried}; is {self.root} the folder of the videos?"
        raise ClipReadError(str(exact), None, reason)

    def read(self, video: str, times: np.ndarray, *, center: int) -> ClipPixels:
        return read_times(self.path(video), times, center=center, threads=self.threads)

    def read_frames(self, video: str, numbers: np.ndarray, *, center: int) -> ClipPixels:
        return read_frames(self.path(video), numbers, center=center, threads=self.threads)
