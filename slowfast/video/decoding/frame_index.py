"""Where each frame of a file is, from one decode of all of it: for files whose timestamps cannot be searched.

Timestamps run backwards in AVIs with packed B-frames, and start again where recordings were joined to one transport
stream. What a seek finds there depends on where it starts from; positions counted from the start of the file do not.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from slowfast.video.decoding.notes import note
from slowfast.video.decoding.open_video import OpenVideo, UnreadableError
from slowfast.video.source import Timeline
from slowfast.video.stored.kept_index import kept_index, read_index, write_index

_KEPT = 64  # files whose index a process keeps
_NONE = np.iinfo(np.int64).min  # a frame without a timestamp
_SEEK_GAINS = 16  # frames that are decoded sooner than a seek pays
_Identity = tuple[str, int, int]
_Known = TypeVar("_Known")


@dataclass
class FrameIndex:
    """The frames of a file in the order of the decoder.

    timeline: when they are shown
    pts:      (N,) int64 the file's own timestamps
    keys:     (K,) positions of key frames from which it can be read, each with a timestamp of its own
    doubtful: (N,) bool: it rests on damaged data
    """

    timeline: Timeline
    pts: np.ndarray
    keys: np.ndarray
    doubtful: np.ndarray

    def pictures(
        self, path: str | Path, indices: Iterable[int], *, threads: int, short_side: int | None = None
    ) -> tuple[dict[int, np.ndarray], float]:
        """The frames at `indices` as (H, W, 3) uint8 RGB by index, and the aspect of their pixels.

        Decodes from the key frame before the first to the last. A seek that leads elsewhere is noticed, and the file
        is then read from its start. Raises UnreadableError where the file has changed.
        """
        wanted = sorted(set(indices))
        before = self.keys[self.keys <= wanted[0]]
        if len(before) and before[-1] >= _SEEK_GAINS:
            made = self._from(path, int(before[-1]), wanted, threads=threads, short_side=short_side)
            if made is not None:
                return made
            self.keys = self.keys[:0]
        made = self._from(path, 0, wanted, threads=threads, short_side=short_side)
        if made is None:
            raise UnreadableError("it decodes to other frames than before; has the file changed?")
        return made

    def _from(
        self, path: str | Path, start: int, wanted: list[int], *, threads: int, short_side: int | None
    ) -> tuple[dict[int, np.ndarray], float] | None:
        pictures: dict[int, np.ndarray] = {}
        with OpenVideo(path, threads=threads, remember=False) as video:
            if start and not video.seek_to(int(self.pts[start])):
                return None
            for index, (_, frame) in enumerate(video.frames(from_key_frame=start > 0), start=start):
                if index >= len(self.pts) or self.pts[index] != (_NONE if frame.pts is None else frame.pts):
                    return None
                if index in wanted:
                    pictures[index] = video.rgb(frame, short_side=short_side)
                    if len(pictures) == len(wanted):
                        return pictures, video.pixel_aspect
        return None


def frame_index(path: str | Path, *, threads: int) -> FrameIndex:
    """Of a file: as prepare-data kept it, kept from before, or by decoding all of it. Raises UnreadableError where nothing
    can be decoded."""
    return _remembered(_indices, path, lambda: _kept(Path(path)) or _build(path, threads))


def keep_index(path: Path, folder: Path) -> None:
    """Write the index of a video below the prepared `folder`, where this process had to make one, for all that read it."""
    index = _indices.get(_identity(path))
    if index is not None and path.is_relative_to(folder):
        write_index(path, folder, index.timeline, {"pts": index.pts, "keys": index.keys, "doubtful": index.doubtful})


def _kept(path: Path) -> FrameIndex | None:
    found = read_index(path)
    return None if found is None else FrameIndex(found[0], **found[1])


def has_index(path: str | Path) -> bool:
    """It was made before, and the file is the same; or one was kept beside it."""
    return _identity(path) in _indices or kept_index(Path(path)) is not None


def is_joined(path: str | Path) -> bool:
    """The clock of a file starts again somewhere. Reads the packets of all of it, once, and decodes none."""
    return _remembered(_joined, path, lambda: _clock_restarts(path))


_indices: OrderedDict[_Identity, FrameIndex] = OrderedDict()
_joined: OrderedDict[_Identity, bool] = OrderedDict()


def _identity(path: str | Path) -> _Identity:
    try:
        stat = Path(path).stat()
    except OSError:
        return str(path), -1, -1  # opening it says what is wrong
    return str(path), stat.st_size, stat.st_mtime_ns


def _remembered(known: OrderedDict[_Identity, _Known], path: str | Path, make: Callable[[], _Known]) -> _Known:
    identity = _identity(path)
    if identity not in known:
        known[identity] = make()
    known.move_to_end(identity)
    while len(known) > _KEPT:
        known.popitem(last=False)
    return known[identity]


def _build(path: str | Path, threads: int) -> FrameIndex:
    stamps: list[int] = []
    keys: list[int] = []
    doubtful: list[bool] = []
    with OpenVideo(path, threads=threads) as video:
        for index, (_, frame) in enumerate(video.frames()):
            stamps.append(_NONE if frame.pts is None else frame.pts)
            doubtful.append(video.in_doubt)
            if frame.key_frame and frame.pts is not None:
                keys.append(index)
        timeline = video.timeline()
        if video.disordered:
            text = "its timestamps are missing or run backwards; all of it is decoded once, for an index of its frames"
            note("disordered", str(path), text)
    pts = np.array(stamps, dtype=np.int64)
    own, counts = np.unique(pts, return_counts=True)
    own = own[counts == 1]
    usable = np.array([key for key in keys if pts[key] in own], dtype=np.int64)
    return FrameIndex(timeline, pts, usable, np.array(doubtful))


def _clock_restarts(path: str | Path) -> bool:
    last = None
    with OpenVideo(path, threads=1) as video:
        for packet in video.packets():
            if packet.dts is not None:
                if last is not None and packet.dts < last:
                    return True
                last = packet.dts
    return False
