"""Videos decoded whole into a .npy file, frame by frame, so that one need not fit in memory: what the cache is filled by."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Protocol

import numpy as np

from slowfast.utils.missing import MissingPackageError
from slowfast.video.decoding.open_video import OpenVideo, named_errors
from slowfast.video.pyav import av
from slowfast.video.source import Timeline
from slowfast.video.stored.disk_room import keep_room

_LOOK_EVERY = 64  # frames after which the disk is looked at


class WholeDecoder(Protocol):
    """What decodes a video into a cache. It is pickled into processes."""

    def name(self) -> str:
        """With its versions, as an entry keeps it; "" where it is not installed."""

    def write(
        self, path: Path, sink: IO[bytes], *, short_side: int | None, threads: int
    ) -> tuple[list[int], Timeline, float]:
        """Decode `path` into the open .npy file `sink`, (N, H, W, 3) uint8 RGB. Raises ClipReadError.

        Returns the shape of what was written, when its frames are shown, and the aspect of its pixels.
        """


class ByPyAV:
    """As every reader of this project decodes."""

    def name(self) -> str:
        try:
            codec = ".".join(map(str, av.library_versions["libavcodec"]))
        except MissingPackageError:
            return ""
        return f"PyAV {av.__version__}, libavcodec {codec}"

    def write(
        self, path: Path, sink: IO[bytes], *, short_side: int | None, threads: int
    ) -> tuple[list[int], Timeline, float]:
        with named_errors(path, None), OpenVideo(path, threads=threads) as video:
            file = GrowingFile(sink)
            for _, frame in video.frames():
                file.append(video.rgb(frame, short_side=short_side))
            return file.end(), video.timeline(), video.pixel_aspect


class GrowingFile:
    """A .npy file (N, H, W, 3) uint8 whose N is known at its end. Raises OSError before the disk is full."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self._shape = [0, 0, 0, 3]

    def append(self, picture: np.ndarray) -> None:
        """picture (H, W, 3) uint8, of the first one's size."""
        if self._shape[0] == 0:
            self._shape[1:] = picture.shape
            self._write_header()
        if self._shape[0] % _LOOK_EVERY == 0:
            keep_room(Path(self._sink.name).parent)
        self._sink.write(np.ascontiguousarray(picture).data)
        self._shape[0] += 1

    def end(self) -> list[int]:
        """The shape of all."""
        self._sink.seek(0)  # numpy pads the header so that the first axis can grow in place
        self._write_header()
        return self._shape

    def _write_header(self) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": tuple(self._shape)}
        np.lib.format.write_array_header_1_0(self._sink, header)
