"""Pixels from folders of extracted frames: PySlowFast frame lists, or VIDEO/VIDEO_000001.jpg.

Frames are addressed by their id, never by their position in a list: a lost frame must not shift the ones after it.
"""

import re
import string
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from slowfast.utils.processes.shared_arrays import for_workers, from_parent
from slowfast.utils.reading import reason_of
from slowfast.video.decoding.open_video import shrink
from slowfast.video.pictures.frame_files import FrameFiles, joined, split
from slowfast.video.pictures.frame_lists import FRAME_LIST_HEADER, read_frame_lists
from slowfast.video.pictures.whole_pictures import what_is_missing
from slowfast.video.remote.address import is_url
from slowfast.video.source import ClipPixels, ClipReadError, VideoLength, check_positions

__all__ = ["FRAME_LIST_HEADER", "FrameFolders", "read_frame_lists"]

FIRST_FRAMES = (0, 1)  # numbers that extractors start from
_SHOWN = 3
_COLOURS = getattr(cv2, "IMREAD_COLOR_RGB", cv2.IMREAD_COLOR)  # OpenCV from 4.11 on writes RGB itself


class FrameFolders:
    """Extracted frames under `root`. A PixelSource whose frame numbers are frame ids, and a VideoSource, whose position
    0 is the first id of a video.

    frame_lists: PySlowFast frame lists (one or several); ids and paths (relative to `root`) are theirs. Without them
                 a video is the folder `root/VIDEO` and the ids are the numbers in its file names.
    pattern:     file name in a video's folder, of `{video}` (last part of the video's name) and `{frame}`
    fps:         frames per second of the extraction
    first_frame: id of the frame at second 0. -1: the first id of a video, where that is 0 or 1, as extractors count; for
                 a whole set of videos see `find_first_frame`. Positions count from the first id in any case
    """

    def __init__(
        self,
        root: str | Path,
        *,
        fps: float,
        frame_lists: str | Path | Sequence[str | Path] | None = None,
        pattern: str = "{video}_{frame:06d}.jpg",
        first_frame: int = -1,
    ) -> None:
        if not fps > 0:
            raise ValueError(f"frames per second must be positive, got {fps}; it is the rate of the extraction")
        if is_url(root):
            raise ValueError(
                f"{root}: folders of frames are read from a disk of this machine; by a URL there are videos, and shards of them"
            )
        self.root = Path(root)
        self.fps = fps
        self._pattern = pattern
        _name_regex(pattern, "check")  # a pattern that cannot work fails now, not in a worker
        self._from_lists = frame_lists is not None
        self.first_frame = None if first_frame < 0 else first_frame
        lists = [frame_lists] if isinstance(frame_lists, str | Path) else list(frame_lists or ())
        self._videos: dict[str, FrameFiles] = read_frame_lists(lists, self.root) if self._from_lists else {}
        self._sent: tuple[tuple[str, ...], dict[str, Any]] | None = None  # all workers are sent the same memory

    def __getstate__(self) -> dict[str, Any]:
        """Loader workers share the lists: AVA's are hundreds of megabytes, which each would be sent one by one."""
        if self._sent is None:
            columns = joined(self._videos) if self._from_lists else joined({})
            names = columns.pop("names")
            sent = for_workers(columns, at_once=True)
            if self._from_lists:
                self._videos = split({"names": names, **from_parent(sent)})  # this process has no second copy either
            self._sent = names, sent
        return self.__dict__ | {"_videos": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        names, sent = state["_sent"]
        self._videos = split({"names": names, **from_parent(sent)})

    @property
    def videos(self) -> tuple[str, ...]:
        """Sorted names: those in the frame lists; without lists the folders directly below `root`."""
        if self._from_lists:
            return tuple(sorted(self._videos))
        return tuple(sorted(path.name for path in self.root.iterdir() if path.is_dir()))

    def listed_files(self, videos: Sequence[str]) -> Iterator[str]:
        """The files of these videos as frame lists have them, below `root`; nothing without lists."""
        for video in videos if self._from_lists else ():
            if video in self._videos:
                files = self._videos[video]
                yield from (self._file(video, files, place) for place in range(len(files.ids)))

    def check(self, video: str) -> None:
        """Raises ClipReadError where the lists do not hold the video, or no folder with a frame in it is there."""
        self._start(video)

    def find_first_frame(self, videos: Sequence[str]) -> int:
        """Decide for all of these videos which id is at second 0, unless it was given: 0 or 1, the smallest there is.

        A video whose own first frame was lost is read right, which it could not be by itself.
        Raises ValueError where no video starts at 0 or 1, or some at 0 and others at 1; ClipReadError for no such video.
        """
        if self.first_frame is not None:
            return self.first_frame
        starts = {video: self._start(video) for video in videos}
        at = {number: [video for video, start in starts.items() if start == number] for number in FIRST_FRAMES}
        if at[0] and at[1]:
            raise ValueError(
                f"{self.root}: the frames of {len(at[0])} videos start at 0 (such as {at[0][0]}) and those of "
                f"{len(at[1])} at 1 (such as {at[1][0]}): which number is second 0? Say it, 0 or 1 (AVA.FIRST_FRAME)"
            )
        if starts and not at[0] and not at[1]:
            some = ", ".join(f"{video} at {start}" for video, start in list(starts.items())[:_SHOWN])
            raise ValueError(
                f"{self.root}: no video has a frame 0 or 1, they start later ({some}): which number is second 0? Say it "
                "(AVA.FIRST_FRAME)"
            )
        self.first_frame = 0 if at[0] else 1
        return self.first_frame

    def starts_before(self, videos: Sequence[str]) -> str:
        """A sentence where frames come before the one at second 0, as where numbers from 0 are said to start at 1; else ""."""
        early = [video for video in videos if self.first_frame is not None and self._start(video) < self.first_frame]
        if not early:
            return ""
        return (
            f"the frames of {len(early)} videos start before number {self.first_frame}, such as {early[0]} at "
            f"{self._start(early[0])}: those frames are before second 0, and all others count from there. Was the extraction "
            "numbered from 0? Then AVA.FIRST_FRAME is 0"
        )

    def _start(self, video: str) -> int:
        """The first id; a folder is not listed where it holds a frame of the usual first name."""
        if not self._from_lists:
            for number in FIRST_FRAMES:
                if (self.root / video / self._name(video, number)).is_file():
                    return number
        return self.span(video)[0]

    def _at_zero(self, video: str) -> int:
        """The id of the frame at second 0."""
        if self.first_frame is not None:
            return self.first_frame
        start = self.span(video)[0]
        if start not in FIRST_FRAMES:
            reason = f"its frames start at {start}, and which number is second 0 is not said (AVA.FIRST_FRAME)"
            raise ClipReadError(str(self.root / video), None, reason)
        return start

    def read(self, video: str, times: np.ndarray, *, center: int) -> ClipPixels:
        """Raises ClipReadError: no such video, key frame beyond it, a frame that is missing or cannot be decoded."""
        nearest = np.floor(np.asarray(times, dtype=np.float64) * self.fps + 0.5 + 1e-6).astype(np.int64)
        return self.read_frames(video, nearest + self._at_zero(video), center=center)

    def read_frames(self, video: str, numbers: np.ndarray, *, center: int) -> ClipPixels:
        return self._read(video, numbers, center=center)

    def length(self, video: str) -> VideoLength:
        """From the first id to the last; whether one between them is missing shows when it is read."""
        first, last = self.span(video)
        return VideoLength(np.arange(last - first + 1) / self.fps, self.fps)

    def read_positions(self, video: str, positions: np.ndarray, *, short_side: int | None = None) -> np.ndarray:
        first, last = self.span(video)
        positions = np.asarray(positions, dtype=np.int64)
        check_positions(positions, last - first + 1, str(self.root / video))
        return self._read(video, first + positions, center=0, short_side=short_side).frames

    def _read(self, video: str, numbers: np.ndarray, *, center: int, short_side: int | None = None) -> ClipPixels:
        numbers = np.asarray(numbers, dtype=np.int64)
        key = int(numbers[center])
        folder = str(self.root / video)
        files = self._files(video, key)
        first, last = int(files.ids[0]), int(files.ids[-1])
        if not first <= key <= last:
            raise ClipReadError(folder, key, f"it has frames {first} to {last} only", "frame")
        inside = np.clip(numbers, first, last)
        wanted, where = np.unique(inside, return_inverse=True)
        position = np.searchsorted(files.ids, wanted)
        missing = wanted[files.ids[position] != wanted]
        if len(missing):
            name = self._name(video, int(missing[0]))
            what = "the frame lists have no such id" if self._from_lists else f"no file {folder}/{name}"
            reason = f"frame {missing[0]} is missing ({what}) though there are frames on both sides of it"
            raise ClipReadError(folder, key, reason, "frame")
        frames: np.ndarray | None = None
        for number, place in enumerate(position.tolist()):
            picture = self._decode(folder, key, self._file(video, files, place), short_side)
            if frames is None:
                frames = np.empty((len(numbers), *picture.shape), np.uint8)
            if picture.shape != frames.shape[1:]:
                sizes = sorted([frames.shape[1:], picture.shape])
                raise ClipReadError(folder, key, f"frames {wanted.tolist()} differ in size: {sizes}", "frame")
            for row in np.flatnonzero(where == number).tolist():  # by a mask numpy copies many times slower
                frames[row] = picture
        assert frames is not None  # a clip has a frame
        return ClipPixels(frames, int((inside != numbers).sum()))

    def span(self, video: str) -> tuple[int, int]:
        """The first and the last frame id of a video. Raises ClipReadError when there is no such video."""
        ids = self._files(video, None).ids
        return int(ids[0]), int(ids[-1])

    def _files(self, video: str, key: int | None) -> FrameFiles:
        if video not in self._videos:
            if self._from_lists:
                some = ", ".join(sorted(self._videos)[:3])
                reason = f"the frame lists do not hold video {video!r}; they hold {some}, ..."
                raise ClipReadError(str(self.root / video), key, reason, "frame")
            self._videos[video] = self._list_folder(video, key)
        return self._videos[video]

    def _list_folder(self, video: str, key: int | None) -> FrameFiles:
        folder = self.root / video
        if not folder.is_dir():
            raise self._no_folder(video, key)
        regex = _name_regex(self._pattern, Path(video).name)
        names = sorted(path.name for path in folder.iterdir())
        found = sorted((int(match["frame"]), match.string) for match in map(regex.fullmatch, names) if match)
        if not found:
            there = f"there are {', '.join(names[:_SHOWN])}" + (", ..." if len(names) > _SHOWN else "")
            reason = f"no file in it is named like {self._name(video, 1)}; {there if names else 'it is empty'}"
            raise ClipReadError(str(folder), key, f"{reason} (AVA.FRAME_PATTERN)", "frame")
        for (number, name), (following, other) in pairwise(found):
            if number == following:
                raise ClipReadError(str(folder), key, f"frame {number} is there twice: {name} and {other}", "frame")
        ids = np.array([number for number, _ in found], dtype=np.int64)
        if all(name == self._name(video, number) for number, name in found):
            return FrameFiles(ids)  # a worker may come to know all folders of AVA: 30 bytes a frame less
        return FrameFiles(ids, np.array([f"{video}/{name}".encode() for _, name in found]))

    def _file(self, video: str, files: FrameFiles, place: int) -> str:
        """Below `root`, of the frame at a position of `files`."""
        if files.paths is None:
            return f"{video}/{self._name(video, int(files.ids[place]))}"
        path: bytes = files.paths[place]
        return path.decode()

    def _no_folder(self, video: str, key: int | None) -> ClipReadError:
        reason = f"no such folder; is {self.root} the folder of the frame folders?"
        return ClipReadError(str(self.root / video), key, reason, "frame")

    def _name(self, video: str, frame: int) -> str:
        return self._pattern.format(video=Path(video).name, frame=frame)

    def _decode(self, folder: str, key: int, relative: str, short_side: int | None) -> np.ndarray:
        """A frame file -> (H, W, 3) uint8 RGB, shrunk to the short side."""
        path = self.root / relative
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ClipReadError(folder, key, f"{path}: {error.strerror}", "frame") from error
        missing = what_is_missing(data)
        if missing:
            raise ClipReadError(folder, key, f"{path}: {missing}", "frame")
        try:
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), _COLOURS) if data else None
        except cv2.error as error:  # a header that tells a size beyond OpenCV's limits
            raise ClipReadError(folder, key, f"{path}: {reason_of(error)}", "frame") from error
        if picture is None:
            reason = f"{path}: not a picture that OpenCV can decode ({len(data)} bytes)"
            raise ClipReadError(folder, key, reason, "frame")
        if _COLOURS == cv2.IMREAD_COLOR:
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return picture if short_side is None else shrink(picture, short_side)


def _name_regex(pattern: str, video: str) -> re.Pattern[str]:
    """The file names that `pattern` gives for a video, with the frame number as group `frame`."""
    parts, fields = [], []
    try:
        pieces = list(string.Formatter().parse(pattern))
        pattern.format(video=video, frame=1)
    except (ValueError, LookupError, AttributeError) as error:
        raise ValueError(f"the frame file pattern {pattern!r} cannot be used: {error} (AVA.FRAME_PATTERN)") from None
    for literal, field, _, _ in pieces:
        parts.append(re.escape(literal))
        if field is not None:
            fields.append(field)
            parts.append(r"(?P<frame>\d+)" if field == "frame" else re.escape(video))
    if fields.count("frame") != 1 or not set(fields) <= {"video", "frame"}:
        raise ValueError(
            f"the frame file pattern needs {{frame}} once, and {{video}} where wanted, got {pattern!r} "
            "(AVA.FRAME_PATTERN)"
        )
    return re.compile("".join(parts))
