"""One video file, open for decoding forward; for those who know which frames they want.

Time 0 is where a player starts: the start time of the container, which may lie before its first picture. Header frame
counts are never used. Frames come in the order the decoder shows them, upright (display rotation and mirroring applied).

What is damaged has one answer, whatever the number of threads: with several a decoder notices damage late, or by
chance. So a file is read fast while nothing is wrong, any damage being an error; at the first doubt it is opened again
and read with care, by one thread, up to the same frame and on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from slowfast.utils.processes.cores import effective_cores
from slowfast.utils.reading import reason_of
from slowfast.video.decoding.chosen_stream import choose_stream
from slowfast.video.decoding.clock import Clock
from slowfast.video.decoding.colours import ToRGB
from slowfast.video.decoding.notes import note
from slowfast.video.decoding.orientation import UPRIGHT, Orientations
from slowfast.video.decoding.settling import Settling
from slowfast.video.decoding.turning_sei import TurningSEI
from slowfast.video.decoding.unseen import Unseen
from slowfast.video.pyav import av
from slowfast.video.source import ROUNDING_SECONDS, ClipReadError, Timeline, tolerance_of

# Codecs whose every packet is a frame and whose decoders tell of all damage at once; others are read with care.
_TELLS_DAMAGE = {"h264", "hevc", "vp9", "av1", "libdav1d", "mjpeg"}
_JOINED = {"mpegts", "mpeg", "flv", "h264", "hevc", "mpegvideo"}  # FFmpeg's names of formats
_REMEMBERED = 100_000

_doubtful: set[str] = set()  # files that were in doubt before


class UnreadableError(Exception):
    """Why a file cannot be read; `named_errors` adds which file and where."""


class _DoubtError(Exception):
    """Something is wrong with the file; reading it with care says what."""


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
    container: what is open already (a stream by URL, a pipe), `path` is then its name only; None to open the file at
               `path`. It cannot be read again, so it is read with care
    """

    def __init__(
        self,
        path: str | Path,
        *,
        threads: int = 0,
        remember: bool = True,
        container: av.container.InputContainer | None = None,
    ) -> None:
        self.path = str(path)
        count = threads or effective_cores().count
        self._threads = count
        self._careful = container is not None or self.path in _doubtful
        self._open(_open(self.path) if container is None else container)
        # average_rate is 25 in some AVIs of 29.97 fps; the guess looks at the timestamps too.
        rate = self._stream.guessed_rate or self._stream.average_rate or self._stream.base_rate
        if not rate:
            raise UnreadableError("it tells no frame rate")
        self.frame_seconds = float(1 / rate)
        self._time_base = self._stream.time_base or Fraction(1, av.time_base)
        self._zero = self._start_second()
        self._clock = Clock(
            self.path, self._zero, self._time_base, self.frame_seconds, remember, joined=container is None
        )
        self._size: tuple[int, int] | None = None  # of a frame as it is shown
        self._orientations, self._orientation = Orientations(), UPRIGHT  # of all frames, of the one converted last
        self._to_rgb = ToRGB(self.path)
        self._at: int | None = None  # timestamp that was sought; None: the start
        self._given = 0  # frames since then
        self._before = self._clock.copy()  # as it was then
        self._unseen: Unseen | None = None

    def _open(self, container: av.container.InputContainer) -> None:
        stream, told = choose_stream(container)
        if stream is None:
            raise UnreadableError(told)
        if told:
            note("streams", self.path, told)
        self._container, self._stream = container, stream
        self._stored_aspect = float(
            stream.sample_aspect_ratio or 1
        )  # kept: frames are asked for after the file was closed
        context = stream.codec_context
        self._careful = self._careful or context.name not in _TELLS_DAMAGE
        if self._careful:
            self._threads = 1
        else:
            context.options = {"err_detect": "explode"}  # damage in a frame is an error, at once, in every thread
        stream.thread_type = "AUTO"
        context.thread_count = self._threads

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

    @property
    def in_doubt(self) -> bool:
        """The frame decoded last is damaged, or rests on data that is."""
        return bool(self._clock.damaged) and np.isinf(self._clock.damaged[-1][1])

    @property
    def is_plain(self) -> bool:
        """So far: there was no doubt, timestamps were in order, and all frames are shown in one orientation."""
        return not (self._careful or self.disordered or self._orientations.change)

    @property
    def disordered(self) -> bool:
        """Timestamps were missing or ran backwards."""
        return self._clock.disordered

    @property
    def tick(self) -> float:
        """Seconds of the unit that timestamps are counted in."""
        return float(self._time_base)

    @property
    def tolerance(self) -> float:
        """As in Timeline."""
        return tolerance_of(self.frame_seconds)

    @property
    def pixel_aspect(self) -> float:
        """Width of a pixel by its height in an upright frame, as a player shows it; 1 where the file does not say."""
        return 1 / self._stored_aspect if self._orientation.transposed else self._stored_aspect

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec: "h264"."""
        return str(self._stream.codec_context.name)

    @property
    def size_told(self) -> tuple[int, int]:
        """(height, width) that the header says, as stored."""
        return self._stream.height or 0, self._stream.width or 0

    @property
    def length_told(self) -> float | None:
        """Seconds that the container says the video has; may be wrong."""
        return None if self._container.duration is None else self._container.duration / av.time_base

    @property
    def may_be_joined(self) -> bool:
        """The format is one whose recordings are joined by appending one to the other, clocks and all."""
        return bool(set(self._container.format.name.split(",")) & _JOINED)

    def packets(self) -> Iterator[av.Packet]:
        """The coded packets from here on, in the order of decoding. Raises FFmpegError where the file is broken."""
        return (packet for packet in self._demuxed() if packet.size)

    def seek(self, second: float) -> bool:
        """Go to the key frame at or before `second`; False where the file cannot seek."""
        return self.seek_to(int((self._zero + second) / self._time_base))

    def seek_to(self, pts: int) -> bool:
        """Go to the key frame with this timestamp, or the one before it; False where the file cannot seek."""
        try:
            self._container.seek(pts, stream=self._stream, backward=True)
        except (av.error.FFmpegError, OverflowError):
            return False
        self._clock.jump()
        self._orientations.forget()
        self._at, self._given = pts, 0
        if not self._careful:
            self._before = self._clock.copy()
        return True

    def leave_out_unseen(self, *, seconds: Sequence[float] = (), stamps: Sequence[int] = ()) -> None:
        """Frames that are shown at none of these moments, ascending, may be left out from now on, where no other is made of them.

        Only for a file that is known to be whole (stored/known_whole.py): damage in what is left out is not noticed.
        seconds: as `Timeline.at_times` takes them; stamps: timestamps of frames
        """
        header, tick = self._stream.codec_context.extradata, self.tick
        moments, margin = [(second + self._zero) / tick for second in seconds], 1 + 2 * ROUNDING_SECONDS / tick
        by_time = Unseen(moments, header, tolerance=self.tolerance / tick, margin=margin)
        self._unseen = Unseen(stamps, header) if stamps else by_time

    def frames(self, *, from_key_frame: bool = False) -> Iterator[tuple[float, av.VideoFrame]]:
        """(second, frame) of every frame from here on, in the order they are shown.

        from_key_frame: leave out what comes before the first key frame; after a seek its references are missing.
        """
        given = 0
        if not self._careful:
            try:
                for item in self._decoded(from_key_frame):
                    self._given += 1
                    yield item
                return
            except _DoubtError:
                given = self._given
                self._again_with_care()
        for number, item in enumerate(self._decoded(from_key_frame)):
            if number >= given:
                yield item

    def _again_with_care(self) -> None:
        """As it was where the frames given so far began."""
        if len(_doubtful) < _REMEMBERED:
            _doubtful.add(self.path)
        self._container.close()
        self._careful = True
        self._open(_open(self.path))
        at, self._clock = self._at, self._before
        self._orientations.forget()
        if at is not None:
            self.seek_to(at)

    def _decoded(self, from_key_frame: bool) -> Iterator[tuple[float, av.VideoFrame]]:
        """Raises _DoubtError where a fast reader meets anything that is wrong, before any frame that rests on it."""
        waiting, missing = from_key_frame, 0
        settling = Settling(self._clock, self._note)
        for packet in self._packets(settling):
            try:
                decoded = self._stream.decode(packet)
            except av.error.FFmpegError:
                self._broken(settling, None if packet is None else packet.pts)
                continue
            is_last = packet is None or not packet.size
            missing += bool(packet is not None and packet.size and not packet.is_discard) - len(decoded)
            # PyAV does not tell of an error among the last frames of several threads.
            if not self._careful and missing and is_last and self._threads > 1:
                raise _DoubtError
            for frame in decoded:
                if not self._careful and frame.is_corrupt:
                    raise _DoubtError
                waiting = waiting and not frame.key_frame
                if waiting:
                    settling.drop(frame)
                else:
                    settling.hold(frame)
            yield from settling.settled(ended=False)
        yield from settling.settled(ended=True)

    def _packets(self, settling: Settling) -> Iterator[av.Packet | None]:
        """At the end one that asks the decoder for what it still holds, also where the file breaks off."""
        was_corrupt = False
        turning = TurningSEI(self.codec, self._stream.codec_context.extradata)
        try:
            for packet in self._demuxed() if self._unseen is None else self._unseen.without(self._demuxed()):
                settling.send(packet)
                if self._unseen is None and packet.size and not packet.is_keyframe and turning.is_in(packet):
                    self._orientations.look_anywhere()
                # Where FFmpeg cuts a stream into frames itself, the mark is on the frame before the one it is meant for.
                if packet.size and (packet.is_corrupt or (was_corrupt and self.may_be_joined)):
                    self._broken(settling, packet.pts)
                was_corrupt = packet.is_corrupt
                yield packet
        except av.error.FFmpegError:
            if self._careful:
                yield None
            self._broken(settling, None)

    def _broken(self, settling: Settling, pts: int | None) -> None:
        if not self._careful:
            raise _DoubtError from None
        settling.broke(pts)

    def _demuxed(self) -> Iterator[av.Packet]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except IndexError:
                # A stream that shows up on the way makes PyAV look, at the end, beyond its list of those to give: what
                # it finds there is chance. Our own stream comes before it, and is over.
                return
            yield packet

    def _note(self, frame: av.VideoFrame) -> float:
        """The second the frame is shown at; keeps the timeline."""
        self._orientations.note(frame)
        return self._clock.note(frame)

    def timeline(self) -> Timeline:
        """Of the frames decoded so far. Raises where there is not one.

        Timestamps that ran backwards (packed B-frames in AVI) are sorted: the order of the pictures is the decoder's.
        """
        if not self._clock.times:
            raise UnreadableError("not one frame could be decoded")
        times = np.sort(np.asarray(self._clock.times, dtype=np.float64))
        return Timeline(self.path, times, self.frame_seconds, float(times[-1] + self.last_duration), self.damaged)

    @property
    def last_duration(self) -> float:
        """Seconds that the frame decoded last is shown for."""
        shown = self._clock.last_shown
        return self.frame_seconds if shown is None else float(shown[0] * shown[1])

    @property
    def damaged(self) -> tuple[tuple[float, float], ...]:
        """As in Timeline, so far; the last one is open (infinite) while what is decoded rests on broken data."""
        return tuple((low, high) for low, high in self._clock.damaged)

    def forget_damage(self) -> None:
        """Damage that is over is told no more: the list of an endless stream must not grow."""
        self._clock.damaged.clear()

    def rgb(self, frame: av.VideoFrame, *, short_side: int | None = None) -> np.ndarray:
        """A decoded frame -> (H, W, 3) uint8 RGB, upright; a short side longer than `short_side` is shrunk to it.

        Raises UnreadableError where frames of one video would be shown in different sizes.
        """
        orientation = self._orientations.of(frame)
        size = (frame.width, frame.height) if orientation.transposed else (frame.height, frame.width)
        turned = self._size is not None and orientation.transposed != self._orientation.transposed
        if self._size is None:
            self._size = size
        if size != self._size or (turned and self.pixel_aspect != 1):
            what = "the display rotation" if turned else "the frame size"
            raise UnreadableError(
                f"{what} changes inside the video: frames are shown as {self._size} (height, width), later as {size}"
            )
        if orientation.askew and orientation != self._orientation:
            text = f"it is to be shown at an angle; it is read {orientation.askew:.0f} degrees off, at the next quarter turn"
            note("askew", self.path, text)
        self._orientation = orientation
        picture = orientation.apply(self._to_rgb(frame))
        return picture if short_side is None else shrink(picture, short_side)


def shrink(picture: np.ndarray, short_side: int) -> np.ndarray:
    """(H, W, 3) uint8 -> the same scaled by area so that min(H, W) = short_side; a smaller picture stays as it is."""
    height, width = picture.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def pixel_aspect_of(path: str | Path) -> float:
    """Width of a pixel by its height as a player shows the video, see OpenVideo. Raises ClipReadError."""
    with named_errors(path, None), OpenVideo(path, threads=1) as video:
        next(iter(video.frames()), None)  # tells how the picture is turned
        return video.pixel_aspect
