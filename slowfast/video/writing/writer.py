"""Writing frames to an H.264 file that every browser plays, with PyAV."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from slowfast.utils.files import whole_file
from slowfast.video.pyav import av


def write_video(frames: Iterable[np.ndarray], path: str | Path, fps: float, *, crf: int = 18, gop: int = 12) -> int:
    """Write frames as H.264 (yuv420p, constant frame rate, first frame at time 0) and return how many were written.

    frames: an array (T, H, W, 3) or any iterable of (H, W, 3), uint8 RGB, all of one size. yuv420p needs even sizes,
            so an odd height or width grows by one pixel that repeats the edge.
    fps:    frames per second, > 0
    crf:    x264 quality, 0 (lossless) .. 51 (worst)
    gop:    largest distance between two frames a reader can seek to

    The file is written under a temporary name beside `path` and renamed when complete, so `path` is whole or absent.
    Raises ValueError on frames of another type or size, on no frames at all, and on fps <= 0; OSError when the file
    cannot be written.
    """
    path = Path(path)
    if fps <= 0:
        raise ValueError(f"{path}: fps must be > 0, got {fps}")
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise ValueError(f"{path}: a video needs at least one frame, got none")
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        return _encode(itertools.chain([first], iterator), first, temporary, path, fps=fps, crf=crf, gop=gop)


def _encode(
    frames: Iterable[np.ndarray], first: np.ndarray, temporary: Path, path: Path, *, fps: float, crf: int, gop: int
) -> int:
    """Encode into `temporary`; `path` is named in errors. `first` is the first element of `frames`."""
    _check_frame(first, np.shape(first), 0, path)
    height, width = first.shape[:2]
    odd = height % 2 or width % 2
    grow = ((0, height % 2), (0, width % 2), (0, 0))
    count = 0
    with av.open(str(temporary), "w", format="mp4") as container:
        # one thread: the bytes then do not depend on the machine, and callers run one process per core
        options = {"crf": str(crf), "preset": "veryfast", "threads": "1", "g": str(gop)}
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=options)
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        for count, frame in enumerate(frames, start=1):
            _check_frame(frame, first.shape, count - 1, path)
            even = np.pad(frame, grow, mode="edge") if odd else np.ascontiguousarray(frame)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode(None))
    return count


def _check_frame(frame: np.ndarray, shape: tuple[int, ...], index: int, path: Path) -> None:
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        found = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise ValueError(f"{path}: frame {index} must be a uint8 array (H, W, 3), got {found}")
    if frame.shape != shape:
        raise ValueError(
            f"{path}: frame {index} has shape {frame.shape}, the first frame has {shape}; all must be equal"
        )
