"""Which video files cannot be opened at all: found from their headers, before hours of training meet them."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from slowfast.video.decoding.open_video import OpenVideo, named_errors
from slowfast.video.reader import VideoFiles
from slowfast.video.source import ClipReadError

THREADS = 8  # FFmpeg works outside of Python's lock, and a network disk answers several at once
_SHOWN = 5


@dataclass(frozen=True)
class ProbeReport:
    """opened: headers that are right; asked: all videos; seconds: it took; failed: why the others cannot be opened."""

    opened: int
    asked: int
    seconds: float
    failed: tuple[ClipReadError, ...]

    @classmethod
    def of_all(cls, reports: Sequence["ProbeReport"]) -> "ProbeReport":
        """One report of several on other videos, made at the same time."""
        failed = sorted((error for report in reports for error in report.failed), key=str)
        return cls(
            sum(report.opened for report in reports),
            sum(report.asked for report in reports),
            max((report.seconds for report in reports), default=0.0),
            tuple(failed),
        )

    def __str__(self) -> str:
        seen = self.opened + len(self.failed)
        line = f"{len(self.failed)} of {seen:,} videos cannot be opened ({self.seconds:.1f} s)"
        if not self.failed:
            line = f"all of {seen:,} videos can be opened ({self.seconds:.1f} s)"
        if seen < self.asked:
            line += f"; {self.asked - seen:,} more were not tried, as the time was up (DATA.PROBE_SECONDS)"
        shown = "".join(f"\n  {error}" for error in self.failed[:_SHOWN])
        return line + shown + ("\n  ..." if len(self.failed) > _SHOWN else "")


def probe(videos: VideoFiles, names: Sequence[str], *, seconds: float) -> ProbeReport:
    """Open each file, in a random order that is always the same, and close it again; none is begun after `seconds`.

    A file passes that has a video stream and a frame rate. Whether its pictures are whole shows when they are decoded.
    """
    start = time.perf_counter()
    order = np.random.default_rng(0).permutation(len(names))
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(partial(_open, videos, until=start + seconds), (names[i] for i in order)))
    failed = sorted((error for error in found if isinstance(error, ClipReadError)), key=str)
    opened = sum(result is True for result in found)
    return ProbeReport(opened, len(names), time.perf_counter() - start, tuple(failed))


def _open(videos: VideoFiles, name: str, *, until: float) -> bool | ClipReadError:
    """Whether it was tried; what is wrong with it."""
    if time.perf_counter() >= until:
        return False
    try:
        with videos.held(name) as path, named_errors(path, None), OpenVideo(path, threads=1):
            return True
    except ClipReadError as error:
        return error
