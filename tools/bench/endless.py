"""Does prediction need more memory the longer a video is? Resident memory over an hour of video, and its slope."""

from __future__ import annotations

import os
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from bench.prediction import make_detector

from slowfast.inference.detector import ActionDetector
from slowfast.video.pyav import av

FPS, SIZE = 5, (96, 120)
PICTURES = 16  # that are shown again and again
POINTS = 60  # at which memory is read
SETTLED = 0.2  # of the video, before which allocators, caches of shapes and lazy imports are still growing


def write_long_video(path: Path, seconds: float) -> None:
    """Noise in motion at 5 frames a second, small, encoded without compression of motion: an hour in a minute."""
    height, width = SIZE
    pictures = np.random.default_rng(0).integers(0, 256, (PICTURES, height // 8, width // 8, 3), dtype=np.uint8)
    frames = [
        av.VideoFrame.from_ndarray(np.kron(picture, np.ones((8, 8, 1), np.uint8)), format="rgb24").reformat(
            format="yuv420p"
        )
        for picture in pictures
    ]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height = width, height
        for number in range(round(seconds * FPS)):
            frame = frames[number % PICTURES]
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def resident_mebibytes() -> float:
    """Of this process, now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def slope(seconds: np.ndarray, mebibytes: np.ndarray) -> float:
    """MiB an hour of video: the line of least squares."""
    return float(np.polyfit(seconds / 3600, mebibytes, 1)[0])


def main(
    cfg_path: str, changes: list[str], *, weights: Path | None, seconds: float, every: float, batch: int,
    device: torch.device,
) -> float:  # fmt: skip
    """Print resident memory along the video, and its slope, which is returned (MiB an hour of video)."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "long.mkv")
        write_long_video(path, seconds)
        detector = make_detector(ActionDetector, cfg_path, changes, weights, Path(name), str(device), batch)
        shown, start = [], time.perf_counter()
        due = seconds * SETTLED
        for moment in detector.stream(path, every=every, score=0.3, track=True):
            if moment.time >= due:
                shown.append((moment.time, resident_mebibytes()))
                due += seconds / POINTS
        took = time.perf_counter() - start
        times, memory = np.array(shown).T
        for at in np.linspace(0, len(shown) - 1, 5).round().astype(int):
            print(f"at {times[at] / 60:6.1f} min of video: {memory[at]:8.1f} MiB resident")
        found = slope(times, memory)
        print(f"{seconds / 60:g} min of video, a key frame every {every:g} s, tracked, in {took / 60:.1f} min: "
              f"{found:+.2f} MiB an hour of video, at most {np.ptp(memory):.2f} MiB apart")  # fmt: skip
        return found
