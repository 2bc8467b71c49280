"""Small video files whose pictures tell which frame they are, and a slow, plain reader to compare with."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

HEIGHT, WIDTH, BITS = 48, 64, 8


def picture(number: int) -> np.ndarray:
    """(48, 64, 3) uint8: `number` in binary as black and white columns, readable after lossy coding."""
    columns = np.array([(number >> bit) & 1 for bit in range(BITS)], dtype=np.uint8) * 200 + 20
    return np.broadcast_to(np.repeat(columns, WIDTH // BITS)[None, :, None], (HEIGHT, WIDTH, 3)).copy()


def number_in(frame: np.ndarray) -> int:
    """The number that `picture` drew."""
    columns = frame.mean(axis=(0, 2)).reshape(BITS, -1).mean(axis=1) > 120
    return int((columns << np.arange(BITS)).sum())


def write_video(
    path: Path,
    *,
    frames: int = 40,
    fps: Fraction | int = 25,
    codec: str = "libx264",
    gop: int = 12,
    b_frames: int = 2,
    pts: list[int] | None = None,
    time_base: Fraction | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """pts: presentation times in units of `time_base` (1 / fps by default), 0, 1, 2 ... by default."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        base = time_base or Fraction(1) / Fraction(fps)
        stream.codec_context.time_base = base
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts = number if pts is None else pts[number]
            frame.time_base = base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decode_plainly(path: Path) -> tuple[list[np.ndarray], np.ndarray, float, float]:
    """Every frame (upright RGB), its second since the container's start, a frame's nominal and the last's own duration.

    Written without a look at the code under test: decode everything, sort the timestamps.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoded = list(container.decode(stream))
        start = max(container.start_time / 1_000_000, 0.0)  # older FFmpeg: -7 ms where the sound has priming samples
        nominal = float(1 / (stream.guessed_rate or stream.average_rate))
        times = np.sort([float(frame.pts * frame.time_base) - start for frame in decoded])
        last = float((decoded[-1].duration or 0) * stream.time_base) or nominal
        pictures = [np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90) for frame in decoded]
    return pictures, times, nominal, last
