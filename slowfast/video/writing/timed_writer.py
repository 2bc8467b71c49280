"""Writing frames with times of their own to H.264, and the sound of another file beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np

from slowfast.utils.files import whole_file
from slowfast.video.pyav import av

_TICKS = 90_000  # of a second
_LARGEST_ASPECT = 255  # H.264 and MP4 hold small fractions; 64:45 and 40:33 are usual ones
MP4_SOUND = ("aac", "mp3", "ac3", "eac3", "opus", "alac", "flac")  # codecs that an MP4 holds as they are


def write_timed_video(
    frames: Iterable[tuple[float, np.ndarray]],
    path: str | Path,
    *,
    sound_of: str | Path | None = None,
    crf: int = 23,
    gop: int = 48,
    pixel_aspect: float = 1.0,
) -> int:
    """Write (second, frame) pairs as H.264 in MP4 and return how many were written.

    frames:   seconds rising from 0 on; (H, W, 3) uint8 RGB, all of one size; an odd side grows by one pixel
    sound_of: a video whose first sound is copied as it is, its time 0 at second 0; see `copied_sound`
    crf, gop: as `write_video`
    pixel_aspect: width of a pixel by its height, which players then stretch the frames by

    A frame that is not later than the one before is left out. `path` is whole or absent. Raises ValueError without a
    frame or for one of another size; OSError when the file cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream(
            "libx264", rate=30, options={"crf": str(crf), "preset": "veryfast", "g": str(gop)}
        )
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS)
        if pixel_aspect != 1:
            stream.codec_context.sample_aspect_ratio = Fraction(pixel_aspect).limit_denominator(_LARGEST_ASPECT)
        with _sound(container, sound_of) as sound:
            count = _encode(container, stream, frames, sound, path)
    return count


def _encode(
    container: av.container.OutputContainer,
    stream: av.VideoStream,
    frames: Iterable[tuple[float, np.ndarray]],
    sound: _Sound | None,
    path: Path,
) -> int:
    count, last, shape = 0, -1, None
    for second, frame in frames:
        if shape is None:
            shape = frame.shape
            stream.height, stream.width = (side + side % 2 for side in shape[:2])
        if frame.shape != shape:
            raise ValueError(f"{path}: frame {count} has shape {frame.shape}, the first frame has {shape}")
        ticks = round(second * _TICKS)
        if ticks <= last:
            continue
        if sound is not None:
            sound.copy_until(second)
        even = np.pad(frame, ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        picture.pts, picture.time_base = ticks, Fraction(1, _TICKS)
        container.mux(stream.encode(picture))
        count, last = count + 1, ticks
    if not count:
        raise ValueError(f"{path}: a video needs at least one frame, got none")
    container.mux(stream.encode(None))
    if sound is not None:
        sound.copy_until(np.inf)
    return count


def copied_sound(path: str | Path) -> str:
    """Why the sound of a video cannot be copied into an MP4; "" where it can, or there is none."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return ""
        codec = container.streams.audio[0].codec_context.name
    return "" if _fits(codec) else f"its sound is {codec}, which an MP4 does not hold"


def _fits(codec: str) -> bool:
    return codec.removesuffix("float") in MP4_SOUND


class _Sound:
    """The packets of a sound, copied in step with the pictures."""

    def __init__(self, source: av.container.InputContainer, target: av.container.OutputContainer) -> None:
        self._from = source.streams.audio[0]
        self._to = target.add_stream_from_template(self._from)
        self._target = target
        start = (source.start_time or 0) / av.time_base
        self._unit = float(self._from.time_base or Fraction(1, av.time_base))
        self._zero = round(max(start, 0.0) / self._unit)
        self._packets = self._in_time(source)
        self._next = next(self._packets, None)

    def _in_time(self, source: av.container.InputContainer) -> Iterator[av.Packet]:
        for packet in source.demux(self._from):
            if packet.pts is None or packet.dts is None or packet.pts < self._zero:
                continue  # the end, or samples that are never heard
            packet.pts, packet.dts = packet.pts - self._zero, packet.dts - self._zero
            yield packet

    def copy_until(self, second: float) -> None:
        while self._next is not None and (self._next.pts or 0) * self._unit <= second:
            self._next.stream = self._to
            self._target.mux(self._next)
            self._next = next(self._packets, None)


@contextmanager
def _sound(container: av.container.OutputContainer, path: str | Path | None) -> Iterator[_Sound | None]:
    if path is None or copied_sound(path):
        yield None
        return
    with av.open(str(path)) as source:
        yield _Sound(source, container) if source.streams.audio else None
