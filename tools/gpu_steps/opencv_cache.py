"""Videos into the pixel cache by OpenCV, for a machine that has no PyAV.

Only of videos that stand upright with square pixels, as they are: there OpenCV's pixels were those of PyAV wherever both
were compared (tests/integration/test_gpu_check.py).
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import cv2
import numpy as np

from slowfast.video.reader import VideoFiles
from slowfast.video.source import ClipReadError, Timeline
from slowfast.video.stored.cache import CachedVideos
from slowfast.video.stored.whole_decoding import GrowingFile


class ByOpenCV:
    """A `WholeDecoder` of frames at a constant rate."""

    def name(self) -> str:
        return f"OpenCV {cv2.__version__}"

    def write(
        self, path: Path, sink: IO[bytes], *, short_side: int | None, threads: int
    ) -> tuple[list[int], Timeline, float]:
        if short_side is not None:
            raise ValueError("OpenCV shrinks to other pixels than PyAV: DATA.CACHE_SHORT_SIDE must be 0")
        video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
        try:
            if not video.isOpened():
                raise ClipReadError(str(path), None, "OpenCV cannot open it")
            across, down = (video.get(what) for what in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
            if (across and across != down) or video.get(cv2.CAP_PROP_ORIENTATION_META):
                raise ClipReadError(str(path), None, "turned, or its pixels are not square: PyAV is needed for it")
            file, times = GrowingFile(sink), []
            while True:
                read, picture = video.read()
                if not read:
                    break
                file.append(picture[:, :, ::-1])
                times.append(video.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            announced, rate = video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)
        finally:
            video.release()
        if not times or len(times) < announced:
            raise ClipReadError(str(path), None, f"OpenCV decoded {len(times)} of {announced:g} frames")
        shown = np.array(times) - times[0]
        return file.end(), Timeline(str(path), shown, 1 / rate, float(shown[-1]) + 1 / rate), 1.0


def fill(videos: Path, cache: Path, *, threads: int) -> int:
    """Decode all videos below `videos` into the cache, `threads` at a time; how many. Raises ClipReadError at the first
    that cannot be."""
    names = sorted(
        path.relative_to(videos).with_suffix("").as_posix() for path in videos.rglob("*.*") if path.is_file()
    )

    def decode(name: str) -> None:
        cached = CachedVideos(VideoFiles(videos, threads=1), cache, decoder=ByOpenCV())  # it is no thread's but one's
        cached.read_frames(name, np.array([1]), center=0)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(decode, names))
    return len(names)
