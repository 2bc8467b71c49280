"""Resident memory of loader workers over many reads: it must not grow with their number."""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
from bench.timing import resident
from torch.utils.data import DataLoader, Dataset

from slowfast.utils.files import write_bytes
from slowfast.video.reader import VideoFiles
from slowfast.video.source import ClipReadError
from slowfast.video.writing.writer import write_video

FILES, FRAMES, SIZE, FPS = 8, 100, (96, 128), 25
EVERY = 100  # reads between two looks


class Reads(Dataset):
    """An index is a clip of 8 frames; what comes back is the worker's memory in MiB, or NaN between two looks."""

    def __init__(self, folder: Path, count: int) -> None:
        self.videos, self.count, self.done = VideoFiles(folder, threads=1), count, 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> float:
        rng = np.random.default_rng(index)
        times = rng.uniform(0, FRAMES / FPS) + np.linspace(-0.5, 0.5, 8)
        with contextlib.suppress(ClipReadError):  # two of the files are damaged on purpose
            self.videos.read(str(index % FILES), times, center=4)
        self.done += 1
        return resident("VmRSS") if self.done % EVERY == 0 else np.nan


def write_files(folder: Path) -> None:
    """Six whole videos, one with changed bytes, one cut off."""
    for number in range(FILES):
        noise = np.random.default_rng(number).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
        frames = (np.roll(noise, 3 * shift, axis=1) for shift in range(FRAMES))
        write_video(frames, folder / f"{number}.mp4", FPS)
    changed = bytearray((folder / "6.mp4").read_bytes())
    changed[len(changed) // 2] ^= 0xFF
    write_bytes(bytes(changed), folder / "6.mp4")
    cut = (folder / "7.mp4").read_bytes()
    write_bytes(cut[: len(cut) // 2], folder / "7.mp4")


def main(reads: int, *, workers: int = 2) -> float:
    """MiB by which a worker's memory grew from a tenth of the reads to the last of them."""
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        loader = DataLoader(
            Reads(Path(folder), reads), batch_size=10, num_workers=workers, multiprocessing_context="spawn"
        )
        looks = np.concatenate([batch.numpy() for batch in loader])
    looks = looks[np.isfinite(looks)]
    early, late = looks[: len(looks) // 10], looks[-len(looks) // 10 :]
    grown = float(np.median(late) - np.median(early))
    print(
        f"{reads:,} reads in {workers} workers: {np.median(early):.1f} MiB each after a tenth of them, "
        f"{np.median(late):.1f} MiB at the end ({grown:+.1f}), at most {looks.max():.1f}"
    )
    return grown
