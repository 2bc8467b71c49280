"""Pixels from video files, addressed by second, by frame number or by position, without an extraction step (PyAV).

What second 0 is and in which order frames come: see `open_video`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from slowfast.video.decoding.chosen_pictures import ChosenPictures
from slowfast.video.decoding.frame_index import frame_index, has_index, is_joined
from slowfast.video.decoding.open_video import OpenVideo, UnreadableError, named_errors
from slowfast.video.decoding.whole_video import WholeVideo
from slowfast.video.pyav import av
from slowfast.video.source import ROUNDING_SECONDS, ClipPixels, ClipReadError, VideoLength, is_nearer
from slowfast.video.stored.known_whole import is_known_whole

VIDEO_EXTENSIONS = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ts")
# Frames decoded past the last one needed, so that timestamps which run backwards (packed B-frames) show up.
_LOOK_BEYOND = 2
_SEEK_BACK_SECONDS = (0.0, 2.0, 20.0)  # how much earlier to look when the key frame that a seek finds comes too late


def read_times(path: str | Path, times: np.ndarray, *, center: int, threads: int = 0) -> ClipPixels:
    """The frames shown at `times`, (T,) seconds in any order; decodes from the key frame before the first to the last.

    Raises ClipReadError: not a readable video, key frame beyond its ends, or damaged data within the clip.
    """
    times = np.asarray(times, dtype=np.float64)
    with named_errors(path, float(times[center])):
        # A start at or before 0 needs no seek; None decodes from the beginning.
        starts = [] if has_index(path) else [times.min() - back for back in _SEEK_BACK_SECONDS]
        for start in [*(start for start in starts if start > 0), None] if starts else []:
            with OpenVideo(path, threads=threads) as video:
                if video.may_be_joined and is_joined(path):
                    break
                pictures = _window(video, times, start, known_whole=is_known_whole(path))
                if video.disordered:
                    break
                if pictures is None:
                    continue
                indices, clamped = video.timeline().at_times(times, center=center)
                return ClipPixels(pictures.at(indices), clamped, video.pixel_aspect)
        return _read_by_index(path, times, center=center, threads=threads)


def _window(video: OpenVideo, times: np.ndarray, start: float | None, *, known_whole: bool) -> ChosenPictures | None:
    """Decode from the key frame at `start` past the last of `times`; the pictures that they show, by position.

    None when the key frame found comes after the first of `times`. Of the frames on both sides of a time only the one
    that is shown is converted. Of a file that is known to be whole many of the others are not even decoded, and are missing
    in the timeline; which frame is shown at a time, and whether that is within the video, is the same without them.
    """
    asked = np.sort(times).tolist()
    if known_whole:
        video.leave_out_unseen(seconds=asked)
    if start is not None and not video.seek(start):
        return None
    pictures = ChosenPictures(len(asked))

    def choose(index: int, frame: av.VideoFrame) -> None:
        if index not in pictures:
            pictures.add(index, video.rgb(frame))

    before: tuple[float, av.VideoFrame] | None = None
    index = answered = beyond = 0
    for index, (second, frame) in enumerate(video.frames(from_key_frame=start is not None)):
        if before is None and start is not None and second > asked[0] + ROUNDING_SECONDS:
            return None
        while answered < len(asked) and asked[answered] + ROUNDING_SECONDS < second:
            if before is None:
                choose(0, frame)
            elif is_nearer(second, before[0], asked[answered], video.tolerance):
                choose(index, frame)
            else:
                choose(index - 1, before[1])
            answered += 1
        before = second, frame
        if second > asked[-1]:
            beyond += 1
            if known_whole or beyond > _LOOK_BEYOND:
                break
    if before is None:
        return pictures if start is None else None
    if answered < len(asked):
        choose(index, before[1])
    return pictures


def _read_by_index(path: str | Path, times: np.ndarray, *, center: int, threads: int) -> ClipPixels:
    """As `read_times`, for timestamps that cannot be searched."""
    index = frame_index(path, threads=threads)
    indices, clamped = index.timeline.at_times(times, center=center)
    pictures, aspect = index.pictures(path, indices.tolist(), threads=threads)
    return ClipPixels(np.stack([pictures[i] for i in indices.tolist()]), clamped, aspect)


def read_frames(path: str | Path, numbers: np.ndarray, *, center: int, threads: int = 0) -> ClipPixels:
    """Frames by number, counted from 1 in the order they are shown; decodes from the beginning, so for short videos.

    Raises ClipReadError as `read_times`.
    """
    numbers = np.asarray(numbers, dtype=np.int64)
    with named_errors(path, int(numbers[center]), "frame"), OpenVideo(path, threads=threads) as video:
        wanted = set((numbers - 1).tolist()) | {0}
        pictures = ChosenPictures(len(numbers) + 2)  # the first and the last frame stand in for those beyond
        last: av.VideoFrame | None = None
        index = 0
        for index, (_, frame) in enumerate(video.frames()):
            if index in wanted:
                pictures.add(index, video.rgb(frame))
            last = frame
            if index >= max(wanted):
                break
        indices, clamped = video.timeline().at_numbers(numbers, center=center)
        if last is not None and index not in pictures:
            pictures.add(index, video.rgb(last))
        return ClipPixels(pictures.at(indices), clamped, video.pixel_aspect)


def read_all(path: str | Path, *, short_side: int | None = None, threads: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Decode a short video whole: ((N, H, W, 3) uint8 RGB, (N,) float64 seconds).

    short_side: shrink while decoding; a video whose short side is smaller stays as it is. Raises ClipReadError, also
    for a video that is damaged anywhere.
    """
    with named_errors(path, None), OpenVideo(path, threads=threads) as video:
        frames = [video.rgb(frame, short_side=short_side) for _, frame in video.frames()]
        timeline = video.timeline()
        if timeline.damaged:
            raise UnreadableError(f"the data is damaged after second {timeline.damaged[0][0]:.3f}")
        return np.stack(frames), timeline.times


class VideoFiles:
    """Videos under `root`, named with or without extension, with or without sub-folders. A PixelSource, and a
    VideoSource.

    extensions: tried in order, lower and upper case
    threads:    decoding threads of a read, 0 for as many as there are cores

    Those that lie elsewhere (`remote`, `shards`) differ in where a video is while it is read: `check`, `held`, `identity`.
    """

    near = True  # opening a video fetches nothing from another machine

    def __init__(self, root: str | Path, *, extensions: tuple[str, ...] = VIDEO_EXTENSIONS, threads: int = 0) -> None:
        self.root = Path(root)
        self.extensions = extensions
        self.threads = threads
        self._last: WholeVideo | None = None  # whoever asks for a length reads frames of the same video next

    def path(self, video: str) -> Path:
        """The file of a video. Raises ClipReadError where there is none, or more than one."""
        exact = self.root / video
        if exact.is_file():
            return exact
        candidates = (self.root / f"{video}{e}" for lower in self.extensions for e in (lower, lower.upper()))
        found = [path for path in candidates if path.is_file()]
        # On a file system that ignores case, both spellings are one file.
        distinct = [path for i, path in enumerate(found) if not any(path.samefile(other) for other in found[:i])]
        if len(distinct) == 1:
            return distinct[0]
        if distinct:
            names = ", ".join(path.name for path in distinct)
            raise ClipReadError(str(exact), None, f"several files have this name: {names}; keep one")
        tried = " ".join(self.extensions)
        reason = f"no such file, with none of the extensions {tried}; is {self.root} the folder of the videos?"
        raise ClipReadError(str(exact), None, reason)

    def check(self, video: str) -> None:
        """Raises ClipReadError where there is no such video; nothing of it is read."""
        self.path(video)

    @contextmanager
    def held(self, video: str) -> Iterator[Path]:
        """What the readers open, there as long as the block runs. Raises ClipReadError."""
        yield self.path(video)

    def identity(self, video: str) -> dict[str, object]:
        """Which file this is, by "path", and in which state. Raises ClipReadError."""
        path = self.path(video)
        stat = path.stat()
        return {"path": str(path.resolve()), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}

    def read(self, video: str, times: np.ndarray, *, center: int) -> ClipPixels:
        with self.held(video) as path:
            return read_times(path, times, center=center, threads=self.threads)

    def read_frames(self, video: str, numbers: np.ndarray, *, center: int) -> ClipPixels:
        with self.held(video) as path:
            return read_frames(path, numbers, center=center, threads=self.threads)

    def length(self, video: str) -> VideoLength:
        with self.held(video) as path:
            return self._whole(path).length

    def read_positions(self, video: str, positions: np.ndarray, *, short_side: int | None = None) -> np.ndarray:
        with self.held(video) as path:
            return self._whole(path).read(positions, short_side=short_side)

    def _whole(self, path: Path) -> WholeVideo:
        if self._last is None or self._last.path != path:
            self._last = WholeVideo(path, threads=self.threads)
        return self._last
