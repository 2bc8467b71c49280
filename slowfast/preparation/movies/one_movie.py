"""One movie prepared for training: as it is, re-encoded to a short side and a short GOP, or as JPEG frames."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from slowfast.utils.files import whole_folder, write_loose
from slowfast.video.decoding.open_video import OpenVideo, named_errors, pixel_aspect_of
from slowfast.video.decoding.plain_video import is_plain
from slowfast.video.decoding.whole_video import WholeVideo
from slowfast.video.pyav import av
from slowfast.video.source import MAX_TOLERANCE_SECONDS, ROUNDING_SECONDS, ClipReadError
from slowfast.video.stored.manifest import VideoRecord, size_of
from slowfast.video.writing.timed_writer import write_timed_video

Mode = Literal["index", "encode", "frames"]
MODES: tuple[Mode, ...] = ("index", "encode", "frames")
_PIECE = 1 << 20
_AT_END = 1.0  # seconds that a movie may lack of the window that is cut


@dataclass(frozen=True)
class Wanted:
    """What a movie is to become.

    short_side: pixels; larger frames are shrunk, 0 keeps all
    gop:        frames between two that can be sought ("encode")
    crf:        x264 quality ("encode")
    fps:        frames a second ("frames")
    quality:    JPEG quality ("frames")
    window:     (first, last) second that is kept; None: all
    decode:     look at every frame, so that damage is found ("index"; the other modes do so anyway)
    """

    mode: Mode = "encode"
    short_side: int = 256
    gop: int = 12
    crf: int = 18
    fps: float = 30.0
    quality: int = 95
    window: tuple[float, float] | None = None
    decode: bool = False

    def __post_init__(self) -> None:
        rules = (
            ("mode", self.mode in MODES, f"one of {', '.join(MODES)}"),
            ("short_side", self.short_side >= 0, "0 or more"),
            ("gop", self.gop >= 1, "1 or more"),
            ("crf", 0 <= self.crf <= 51, "from 0 to 51"),
            ("fps", self.fps > 0, "above 0"),
            ("quality", 1 <= self.quality <= 100, "from 1 to 100"),
            ("window", self.window is None or 0 <= self.window[0] < self.window[1], "first second, later last second"),
        )
        for name, holds, rule in rules:
            if not holds:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be {rule}")
        if self.mode == "index" and self.window is not None:
            raise ValueError("mode index keeps movies as they are: it cuts no window; encode does")

    @property
    def told(self) -> dict[str, Any]:
        """What of it matters for this mode, for the record."""
        names = {
            "index": ("decode",) if self.decode else (),
            "encode": ("short_side", "gop", "crf"),
            "frames": ("short_side", "fps", "quality"),
        }[self.mode]
        window = None if self.window is None else list(self.window)
        return {"mode": self.mode, **{name: asdict(self)[name] for name in names}, "window": window}


def prepare_movie(source: Path, name: str, out: Path, wanted: Wanted) -> VideoRecord:
    """Make one video of `out` and return its record, which is not yet written.

    name: of the video, without extension; it may have folders
    Raises ClipReadError where the movie cannot be read, is damaged within the window, or ends before it.
    """
    whole = False
    with named_errors(source, None):
        if wanted.mode == "index":
            path = source
            whole = wanted.decode and is_plain(source)
        elif wanted.mode == "encode":
            path = out / f"{name}.mp4"
            pictures, aspect = _pictures(source, wanted), pixel_aspect_of(source)
            write_timed_video(pictures, path, crf=wanted.crf, gop=wanted.gop, pixel_aspect=aspect)
            whole = is_plain(path)
        else:
            path = out / name
            _write_frames(source, path, wanted)
        return _record(source, path, name, out, wanted, whole=whole)


def _pictures(source: Path, wanted: Wanted) -> Iterator[tuple[float, np.ndarray]]:
    """(second since the start of the window, (H, W, 3) uint8 RGB) of every frame that is shown in it.

    The frame that is on screen when the window begins is shown at 0. Raises ClipReadError at the first damage.
    """
    first, last = wanted.window or (0.0, np.inf)
    short_side = wanted.short_side or None
    with OpenVideo(source, threads=1, remember=False) as video:
        sought = first > 0 and video.seek(first)
        waiting: np.ndarray | None = None
        shown = False
        second = 0.0
        for second, frame in video.frames(from_key_frame=sought):
            if video.in_doubt:
                raise ClipReadError(str(source), second, "the data is damaged here")
            if second > last:
                break
            picture = video.rgb(frame, short_side=short_side)
            if second < first:
                waiting = picture
                continue
            if not shown and waiting is not None and second > first:
                yield 0.0, waiting
            shown = True
            yield second - first, picture
        if video.damaged:
            raise ClipReadError(str(source), second, "the data is damaged here")
        if not shown or (np.isfinite(last) and second + _AT_END < last):
            raise ClipReadError(
                str(source), None, f"the movie ends at second {second:.1f}, within the window or before it"
            )


def _write_frames(source: Path, folder: Path, wanted: Wanted) -> None:
    """FOLDER/NAME_000001.jpg ...: the picture on screen at 0, 1 / fps, 2 / fps ... seconds, numbered from 1."""
    options, tolerance = [cv2.IMWRITE_JPEG_QUALITY, wanted.quality], min(0.5 / wanted.fps, MAX_TOLERANCE_SECONDS)
    with whole_folder(folder) as filling:
        number, current, last, aspect = 0, b"", 0.0, pixel_aspect_of(source)
        for second, picture in _pictures(source, wanted):
            picture = _with_square_pixels(picture, aspect)  # a JPEG is taken for one that has them
            done, content = cv2.imencode(".jpg", picture[..., ::-1], options)
            if not done:
                raise ClipReadError(str(source), second, "OpenCV could not encode the frame as JPEG")
            while current and (moment := number / wanted.fps) + ROUNDING_SECONDS < second:
                # As clips are read: the next frame where it is nearer and starts within half a frame.
                next_one = second - moment <= min(tolerance, moment - last)
                number += 1
                write_loose(content.tobytes() if next_one else current, filling / f"{folder.name}_{number:06d}.jpg")
            current, last = content.tobytes(), second
        if number / wanted.fps < last + 0.5 / wanted.fps - ROUNDING_SECONDS:
            number += 1
            write_loose(current, filling / f"{folder.name}_{number:06d}.jpg")


def _with_square_pixels(picture: np.ndarray, aspect: float) -> np.ndarray:
    """(H, W, 3) as a player shows it: the side that is too short grows."""
    if aspect == 1:
        return picture
    height, width = picture.shape[:2]
    size = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR))


def _record(source: Path, path: Path, name: str, out: Path, wanted: Wanted, *, whole: bool) -> VideoRecord:
    stat = source.stat()
    if wanted.mode == "frames":
        files = sorted(path.iterdir())
        picture = cv2.imread(str(files[0]))
        assert picture is not None  # it was written a moment ago
        height, width = picture.shape[:2]
        frames, fps, codec, digest = len(files), wanted.fps, "jpeg", ""
        seconds = frames / fps
    else:
        length = WholeVideo(path, threads=1).length
        frames, fps, digest = len(length), length.fps, _sha256(path)
        seconds = float(length.times[-1]) + 1 / fps
        with OpenVideo(path, threads=1) as video:
            codec = video.codec
            height, width = video.rgb(next(video.frames())[1]).shape[:2]
    return VideoRecord(
        video=name,
        file=path.relative_to(out).as_posix() if path.is_relative_to(out) else str(path),
        source=str(source),
        source_bytes=stat.st_size,
        source_time=round(stat.st_mtime),
        done=wanted.told,
        starts_at=wanted.window[0] if wanted.window else 0.0,
        frames=frames,
        fps=round(fps, 6),
        seconds=round(seconds, 6),
        height=height,
        width=width,
        codec=codec,
        bytes=size_of(path),
        sha256=digest,
        decoder=f"PyAV {av.__version__}, libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}",
        whole_at=path.stat().st_mtime_ns if whole else 0,
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
