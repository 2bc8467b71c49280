"""Makes the files that readers stumble over, from pieces that are known, each in some milliseconds."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from tests.unit.video.video_maker import HEIGHT, WIDTH, picture

FPS = 10
PACKET = 188  # bytes of a transport stream

# A display matrix (a, b, c, d), and what it does with a picture, by hand.
TURNS = {
    "as it is": ((1, 0, 0, 1), lambda p: p),
    "hflip": ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    "vflip": ((1, 0, 0, -1), lambda p: p[::-1]),
    "rotate 180": ((-1, 0, 0, -1), lambda p: p[::-1, ::-1]),
    "rotate 90 clockwise": ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "rotate 90 counter-clockwise": ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
    "transpose": ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
    "transpose the other way": ((0, -1, -1, 0), lambda p: p[::-1, ::-1].swapaxes(0, 1)),
}


def scene(number: int, *, busy: bool = False) -> np.ndarray:
    """(48, 64, 3) uint8: `picture` with a corner that no mirroring leaves in place; busy: moving noise."""
    shown = picture(number)
    shown[: HEIGHT // 4, : WIDTH // 3] = (250, 10, 10)
    if busy:
        noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        shown = shown // 2 + np.roll(noise, 3 * number, axis=1) // 2
    return shown


def write_scenes(
    path: Path, numbers=range(30), *, options=None, container=None, gop=6, b_frames=2, busy=False, codec="libx264"
) -> Path:
    """A video of scenes at 10 frames a second."""
    with av.open(str(path), "w", options=container or {}) as target:
        stream = target.add_stream(codec, rate=FPS, options={"bf": str(b_frames), **(options or {})})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = gop
        for place, number in enumerate(numbers):
            frame = av.VideoFrame.from_ndarray(scene(number, busy=busy), format="rgb24")
            frame.pts, frame.time_base = place, Fraction(1, FPS)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def set_matrix(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write a display matrix into the header of the first track of an MP4."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    data[place : place + 36] = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], dtype=">i4").tobytes()
    path.write_bytes(data)
    return path


def copy_packets(sources: list[tuple[Path, str]], target: Path) -> Path:
    """The packets of H.264 files one after the other, each through a bit stream filter ("" for none)."""
    shift = 0
    with av.open(str(target), "w") as out:
        stream = None
        for path, spec in sources:
            with av.open(str(path)) as container:
                source = container.streams.video[0]
                stream = stream or out.add_stream_from_template(source)
                through = BitStreamFilterContext(spec or "null", in_stream=source, out_stream=stream)
                ticks = round(Fraction(1, FPS) / source.time_base)
                start, last = container.start_time * Fraction(1, av.time_base) / source.time_base, 0
                for packet in container.demux(source):
                    for made in through.filter(packet if packet.size else None):
                        made.stream, made.time_base = stream, source.time_base
                        made.pts, made.dts = (round(t - start) + shift for t in (made.pts, made.dts))
                        last = max(last, made.pts)
                        out.mux(made)
                shift = last + ticks
    return target


def sei(turn: str) -> str:
    """The filter that writes a rotation SEI into the first picture. turn: such as "rotate=90:flip=horizontal"."""
    return f"h264_metadata=display_orientation=insert:{turn}"


def cut(source: Path, target: Path, share: float = 0.6) -> Path:
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def without_packets(source: Path, target: Path, count: int = 3) -> Path:
    """A transport stream that lost some packets in its middle."""
    data = source.read_bytes()
    middle = len(data) // PACKET // 2
    target.write_bytes(data[: middle * PACKET] + data[(middle + count) * PACKET :])
    return target


def with_noise(source: Path, target: Path, *, seed: int, bytes_changed: int = 8) -> Path:
    """Bytes of the last two thirds set to chance."""
    data = bytearray(source.read_bytes())
    rng = np.random.default_rng(seed)
    for _ in range(bytes_changed):
        data[rng.integers(len(data) // 3, len(data))] = rng.integers(256)
    target.write_bytes(data)
    return target


def joined(first: Path, second: Path, target: Path, *, counted_on: bool = False) -> Path:
    """Two transport streams one after the other, clocks and all, as `cat` joins them.

    counted_on: the packets of the second are numbered on from the first, so that none looks lost
    """
    data = bytearray(first.read_bytes() + second.read_bytes())
    if counted_on:
        counts: dict[int, int] = {}
        for place in range(0, len(data), PACKET):
            track = (data[place + 1] & 0x1F) << 8 | data[place + 2]
            if data[place + 3] & 0x10:  # it has a payload
                counts[track] = (counts.get(track, -1) + 1) % 16
            data[place + 3] = data[place + 3] & 0xF0 | counts.get(track, 0)
    target.write_bytes(data)
    return target


def several_streams(target: Path, layout: list[tuple[str, int, bool]]) -> Path:
    """layout: (codec, side in pixels, marked as the default) of each; scenes are those of the largest one's numbers."""
    with av.open(str(target), "w") as container:
        streams = []
        for codec, side, default in layout:
            stream = container.add_stream(codec, rate=FPS)
            stream.width = stream.height = side
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.disposition = av.stream.Disposition.default if default else 0
            streams.append(stream)
        for number in range(10):
            for stream in streams:
                level = np.full((stream.height, stream.width, 3), 20 * number, np.uint8)
                frame = av.VideoFrame.from_ndarray(level, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return target


def sound_first(target: Path, seconds: float, *, options: dict[str, str] | None = None) -> Path:
    """Sound from 0 on, pictures `seconds` later. options: of the container."""
    with av.open(str(target), "w", options=options or {}) as container:
        video = container.add_stream("libx264", rate=FPS, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=16000)
        for number in range(16):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 16000, number * 1024, Fraction(1, 16000)
            container.mux(audio.encode(sound))
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(scene(number), format="rgb24")
            frame.pts, frame.time_base = number + round(seconds * FPS), Fraction(1, FPS)
            container.mux(video.encode(frame))
        for stream in (video, audio):
            container.mux(stream.encode(None))
    return target


def coloured(target: Path, *, pix_fmt: str, options: dict[str, str] | None = None, transfer: int | None = None) -> Path:
    """Losslessly coded noise in a pixel format. transfer: FFmpeg's number of the transfer characteristic."""
    rng = np.random.default_rng(0)
    with av.open(str(target), "w") as container:
        codec = "libx265" if "10" in pix_fmt else "libx264"
        lossless = {"x265-params": "lossless=1:log-level=none"} if codec == "libx265" else {"qp": "0"}
        stream = container.add_stream(codec, rate=FPS, options={**lossless, **(options or {})})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        if transfer is not None:
            stream.codec_context.color_trc = transfer
        for number in range(6):
            noise = rng.integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            frame = av.VideoFrame.from_ndarray(noise, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            if transfer is not None:
                frame.color_trc = transfer
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target
