"""Pixels from folders of extracted frames: PySlowFast frame lists, or VIDEO/VIDEO_000001.jpg.

Frames are addressed by their id, never by their position in a list: a lost frame must not shift the ones after it.
"""

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from slowfast.utils.text import open_text
from slowfast.video.open_video import shrink
from slowfast.video.source import ClipPixels, ClipReadError, VideoLength, check_positions

FRAME_LIST_HEADER = "original_vido_id video_id frame_id path labels"  # the misspelling is PySlowFast's
# Names and paths may hold spaces, so the two integer columns anchor the row, not the number of words.
_ROW = re.compile(r'(?:"(?P<quoted>[^"]*)"|(?P<video>.+)) \d+ (?P<frame>\d+) (?P<path>.+?)(?: (?:"[^"]*"|[\d,]*))?$')
_JPEG_END = b"\xff\xd9"
_JPEG_END_WITHIN = 1024  # bytes from the end: some writers pad


@dataclass(frozen=True)
class _FrameFiles:
    """ids: (N,) int64 ascending; paths: (N,) UTF-8 bytes in one array (millions of strings fill memory)."""

    ids: np.ndarray
    paths: np.ndarray


class FrameFolders:
    """Extracted frames under `root`. A PixelSource whose frame numbers are frame ids, and a VideoSource, whose position
    0 is the first id of a video.

    frame_lists: PySlowFast frame lists (one or several); ids and paths (relative to `root`) are theirs. Without them
                 a video is the folder `root/VIDEO` and the ids are the numbers in its file names.
    pattern:     file name in a video's folder, of `{video}` (last part of the video's name) and `{frame}`
    fps:         frames per second of the extraction
    first_frame: id of the frame at second 0; by default 0 with frame lists (PySlowFast counts from 0) and 1 without
    """

    def __init__(
        self,
        root: str | Path,
        *,
        fps: float,
        frame_lists: str | Path | Sequence[str | Path] | None = None,
        pattern: str = "{video}_{frame:06d}.jpg",
        first_frame: int | None = None,
    ) -> None:
        if not fps > 0:
            raise ValueError(f"frames per second must be positive, got {fps}; it is the rate of the extraction")
        self.root = Path(root)
        self.fps = fps
        self._pattern = pattern
        _name_regex(pattern, "check")  # a pattern that cannot work fails now, not in a worker
        self._from_lists = frame_lists is not None
        self.first_frame = first_frame if first_frame is not None else (0 if self._from_lists else 1)
        lists = [frame_lists] if isinstance(frame_lists, str | Path) else list(frame_lists or ())
        self._videos: dict[str, _FrameFiles] = read_frame_lists(lists) if self._from_lists else {}

    def read(self, video: str, times: np.ndarray, *, center: int) -> ClipPixels:
        """Raises ClipReadError: no such video, key frame beyond it, a frame that is missing or cannot be decoded."""
        nearest = np.floor(np.asarray(times, dtype=np.float64) * self.fps + 0.5 + 1e-6).astype(np.int64)
        return self.read_frames(video, nearest + self.first_frame, center=center)

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
        pictures = [self._decode(folder, key, files.paths[p].decode(), short_side) for p in position]
        sizes = {picture.shape for picture in pictures}
        if len(sizes) > 1:
            raise ClipReadError(folder, key, f"frames {wanted.tolist()} differ in size: {sorted(sizes)}", "frame")
        return ClipPixels(np.stack([pictures[i] for i in where]), int((inside != numbers).sum()))

    def span(self, video: str) -> tuple[int, int]:
        """The first and the last frame id of a video. Raises ClipReadError when there is no such video."""
        ids = self._files(video, self.first_frame).ids
        return int(ids[0]), int(ids[-1])

    def _files(self, video: str, key: int) -> _FrameFiles:
        if video not in self._videos:
            if self._from_lists:
                some = ", ".join(sorted(self._videos)[:3])
                reason = f"the frame lists do not hold video {video!r}; they hold {some}, ..."
                raise ClipReadError(str(self.root / video), key, reason, "frame")
            self._videos[video] = self._list_folder(video, key)
        return self._videos[video]

    def _list_folder(self, video: str, key: int) -> _FrameFiles:
        folder = self.root / video
        if not folder.is_dir():
            reason = f"no such folder; is {self.root} the folder of the frame folders?"
            raise ClipReadError(str(folder), key, reason, "frame")
        regex = _name_regex(self._pattern, Path(video).name)
        matches = (regex.fullmatch(path.name) for path in folder.iterdir())
        found = sorted((int(match["frame"]), match.string) for match in matches if match)
        if not found:
            reason = f"no file in it is named like {self._name(video, self.first_frame)}"
            raise ClipReadError(str(folder), key, reason, "frame")
        ids = np.array([number for number, _ in found], dtype=np.int64)
        return _FrameFiles(ids, np.array([f"{video}/{name}".encode() for _, name in found]))

    def _name(self, video: str, frame: int) -> str:
        return self._pattern.format(video=Path(video).name, frame=frame)

    def _decode(self, folder: str, key: int, relative: str, short_side: int | None) -> np.ndarray:
        """A frame file -> (H, W, 3) uint8 RGB, shrunk to the short side."""
        path = self.root / relative
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ClipReadError(folder, key, f"{path}: {error.strerror}", "frame") from error
        # Some versions of OpenCV fill what a cut-off JPEG lacks with grey and only print a warning.
        if data[:2] == b"\xff\xd8" and _JPEG_END not in data[-_JPEG_END_WITHIN:]:
            reason = f"{path}: the JPEG is cut off ({len(data)} bytes, no end marker)"
            raise ClipReadError(folder, key, reason, "frame")
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if picture is None:
            reason = f"{path}: not a picture that OpenCV can decode ({len(data)} bytes)"
            raise ClipReadError(folder, key, reason, "frame")
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return picture if short_side is None else shrink(picture, short_side)


def read_frame_lists(paths: Sequence[str | Path]) -> dict[str, _FrameFiles]:
    """PySlowFast frame lists -> the frames of each video by id.

    Raises FileNotFoundError, and ValueError for another header or a malformed row (file, line) or a repeated frame.
    """
    ids: dict[str, list[int]] = {}
    files: dict[str, list[bytes]] = {}
    for path in paths:
        with open_text(path, newline=None) as lines:
            header = next(lines, "").strip()
            if header != FRAME_LIST_HEADER:
                raise ValueError(f"{path}:1: a frame list starts with {FRAME_LIST_HEADER!r}, found {header[:80]!r}")
            for number, line in enumerate(lines, start=2):
                row = _ROW.match(line.rstrip())
                if row is None:
                    if not line.strip():
                        continue
                    raise ValueError(f"{path}:{number}: expected {FRAME_LIST_HEADER!r}, found {line.strip()[:80]!r}")
                video = row["quoted"] if row["quoted"] is not None else row["video"]
                ids.setdefault(video, []).append(int(row["frame"]))
                files.setdefault(video, []).append(row["path"].strip('"').encode())
    return {video: _sorted_frames(video, ids[video], files[video], paths) for video in ids}


def _sorted_frames(video: str, ids: list[int], files: list[bytes], sources: Sequence[str | Path]) -> _FrameFiles:
    numbers = np.array(ids, dtype=np.int64)
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    repeated = numbers[1:][numbers[1:] == numbers[:-1]]
    if len(repeated):
        lists = ", ".join(str(source) for source in sources)
        raise ValueError(f"{lists}: frame {repeated[0]} of video {video!r} is listed more than once")
    return _FrameFiles(numbers, np.array(files)[order])


def _name_regex(pattern: str, video: str) -> re.Pattern[str]:
    """The file names that `pattern` gives for a video, with the frame number as group `frame`."""
    parts, fields = [], []
    for literal, field, _, _ in string.Formatter().parse(pattern):
        parts.append(re.escape(literal))
        if field is not None:
            fields.append(field)
            parts.append(r"(?P<frame>\d+)" if field == "frame" else re.escape(video))
    if fields.count("frame") != 1 or not set(fields) <= {"video", "frame"}:
        raise ValueError(f"the frame file pattern needs {{frame}} once, and {{video}} where wanted, got {pattern!r}")
    return re.compile("".join(parts))
