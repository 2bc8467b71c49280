"""One video file, open for decoding forward; for those who know which frames they want.

Time 0 is where a player starts: the start time of the container, which may lie before its first picture. Header frame
counts are never used. Frames come in the order the decoder shows them, upright (display rotation applied).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from slowfast.utils.cores import effective_cores
from slowfast.utils.reading import reason_of
from slowfast.video.pyav import av
from slowfast.video.source import ClipReadError, Timeline


class UnreadableError(Exception):
    """Why a file cannot be read; `named_errors` adds which file and where."""


@contextmanager
def named_errors(path: str | Path, at: float | None, unit: str = "s") -> Iterator[None]:
    """What goes wrong in reading a video, as a ClipReadError with the path, the place and the reason.

    An OSError that is none of FFmpeg's (a full disk beside a video) and an IndexError (positions nobody has) pass.
    """
    try:
        yield
    except (av.error.FFmpegError, UnreadableError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ClipReadError(str(path), at, reason, unit) from error
    except (ClipReadError, OSError, IndexError):
        raise
    except Exception as error:
        raise ClipReadError(str(path), at, reason_of(error), unit) from error


def _open(path: str) -> av.container.InputContainer:
    """FFmpeg's own reason, "Invalid data found when processing input", does not tell what to look for."""
    file = Path(path)
    if file.is_file() and not file.stat().st_size:
        raise UnreadableError("the file is empty (0 bytes)")
    try:
        return av.open(path)
    except av.error.InvalidDataError:
        raise UnreadableError("it is no video of a format that FFmpeg knows, or it is cut off") from None


class OpenVideo:
    """One video file, open for decoding forward once. Use as a context manager.

    threads:  decoding threads, 0 for as many as there are cores
    remember: keep the time of every frame for `timeline`; without it memory does not grow with the video
    container: what is open already (a stream by URL), `path` is then its name only; None to open the file at `path`
    """

    def __init__(
        self,
        path: str | Path,
        *,
        threads: int = 0,
        remember: bool = True,
        container: av.container.InputContainer | None = None,
    ) -> None:
        self.path, self._remember = str(path), remember
        self._container = _open(self.path) if container is None else container
        if not self._container.streams.video:
            raise UnreadableError("it holds no video stream")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = threads or effective_cores().count
        # average_rate is 25 in some AVIs of 29.97 fps; the guess looks at the timestamps too.
        rate = self._stream.guessed_rate or self._stream.average_rate or self._stream.base_rate
        if not rate:
            raise UnreadableError("it tells no frame rate")
        self.frame_seconds = float(1 / rate)
        self._time_base = self._stream.time_base or Fraction(1, av.time_base)
        self._zero = self._start_second()
        self._times: list[float] = []
        self._last_shown: tuple[int, Fraction] | None = None  # duration of the last frame, and its unit in seconds
        self._damaged: list[list[float]] = []
        self._damage_second = -np.inf  # of the last packet that could not be decoded
        self._size: tuple[int, int] | None = None
        self._turns = 0  # of the last frame
        self._to_rgb = (
            av.video.reformatter.VideoReformatter()
        )  # kept: one for each frame costs as much again as the conversion
        self.disordered = False  # timestamps were missing or ran backwards

    def __enter__(self) -> OpenVideo:
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
        return self.seek_to(int((self._zero + second) / self._time_base))

    @property
    def in_doubt(self) -> bool:
        """The frame decoded last is damaged, or rests on data that is."""
        return bool(self._damaged) and np.isinf(self._damaged[-1][1])

    @property
    def tick(self) -> float:
        """Seconds of the unit that timestamps are counted in."""
        return float(self._time_base)

    def packets(self) -> Iterator[av.Packet]:
        """The coded packets from here on, in the order of decoding. Raises FFmpegError where the file is broken."""
        return (packet for packet in self._container.demux(self._stream) if packet.size)

    @property
    def pixel_aspect(self) -> float:
        """Width of a pixel by its height in an upright frame, as a player shows it; 1 where the file does not say."""
        told = self._stream.sample_aspect_ratio
        aspect = float(told) if told else 1.0
        return 1 / aspect if self._turns % 2 else aspect

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec: "h264"."""
        return str(self._stream.codec_context.name)

    @property
    def length_told(self) -> float | None:
        """Seconds that the container says the video has; may be wrong."""
        return None if self._container.duration is None else self._container.duration / av.time_base

    def seek_to(self, pts: int) -> bool:
        """Go to the key frame with this timestamp, or the one before it; False where the file cannot seek."""
        try:
            self._container.seek(pts, stream=self._stream, backward=True)
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
        # Whole numbers divide to the nearest float, as a Fraction does, in a tenth of its time.
        return pts * self._time_base.numerator / self._time_base.denominator - self._zero

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
        if not self._remember:
            self._times.clear()
        self._times.append(second)
        if frame.duration:
            self._last_shown = frame.duration, frame.time_base or self._time_base
        return second

    def timeline(self) -> Timeline:
        """Of the frames decoded so far. Raises where there is not one.

        Timestamps that ran backwards (packed B-frames in AVI) are sorted: the order of the pictures is the decoder's.
        """
        if not self._times:
            raise UnreadableError("not one frame could be decoded")
        times = np.sort(np.asarray(self._times, dtype=np.float64))
        return Timeline(self.path, times, self.frame_seconds, float(times[-1] + self.last_duration), self.damaged)

    @property
    def last_duration(self) -> float:
        """Seconds that the frame decoded last is shown for."""
        return self.frame_seconds if self._last_shown is None else float(self._last_shown[0] * self._last_shown[1])

    @property
    def damaged(self) -> tuple[tuple[float, float], ...]:
        """As in Timeline, so far; the last one is open (infinite) while what is decoded rests on broken data."""
        return tuple((low, high) for low, high in self._damaged)

    def forget_damage(self) -> None:
        """Damage that is over is told no more: the list of an endless stream must not grow."""
        self._damaged.clear()

    @staticmethod
    def _quarter_turns(frame: av.VideoFrame) -> int:
        """Counter-clockwise, from the frame as it is stored to the frame as it is shown."""
        return round(frame.rotation / 90) % 4

    def rgb(self, frame: av.VideoFrame, *, short_side: int | None = None) -> np.ndarray:
        """A decoded frame -> (H, W, 3) uint8 RGB, upright; a short side longer than `short_side` is shrunk to it."""
        size = (frame.height, frame.width)
        if self._size is None:
            self._size = size
        if size != self._size:
            raise UnreadableError(
                f"the frame size (height, width) changes from {self._size} to {size} inside the video"
            )
        picture: np.ndarray = self._to_rgb.reformat(frame, format="rgb24").to_ndarray()
        self._turns = self._quarter_turns(frame)
        if self._turns:
            picture = np.ascontiguousarray(np.rot90(picture, self._turns))
        return picture if short_side is None else shrink(picture, short_side)


def shrink(picture: np.ndarray, short_side: int) -> np.ndarray:
    """(H, W, 3) uint8 -> the same scaled by area so that min(H, W) = short_side; a smaller picture stays as it is."""
    height, width = picture.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
