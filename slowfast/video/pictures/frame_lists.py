"""PySlowFast's frame lists: a line per extracted frame with its video, its number and its file.

The columns stand between blanks, and names and paths may hold blanks, too. A row that can be read in two ways is read
as the other rows and the files say; where they do not tell, it is an error.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from slowfast.utils.reading import reading
from slowfast.utils.text import open_text
from slowfast.video.pictures.frame_files import FrameFiles

FRAME_LIST_HEADER = "original_vido_id video_id frame_id path labels"  # the misspelling is PySlowFast's
_QUOTED = re.compile(r'"(?P<video>[^"]*)" (?P<number>\d+) (?P<frame>\d+) (?P<rest>.+)$')
# Five columns without a blank inside, labels in quotes, a path that is no number: only one way to read them.
_PLAIN = re.compile(r'([^ "]+) (\d+) (\d+) ([^ "]*[^ "\d][^ "]*) "[^"]*"$')
_LABELS = re.compile(r' (?:"[^"]*"|[\d,]*)$')
_SHOWN = 3
MAX_FRAME = 2**31 - 1


class _Row(NamedTuple):
    """One way to read a row. number: PySlowFast's number of the video, the second column."""

    video: str
    number: str
    frame: int
    path: str

    @property
    def names_agree(self) -> bool:
        """The path starts with the name of the video, or with the name of its own folder."""
        return self.path.startswith((f"{self.video}/", f"{Path(self.video).name}/"))


def read_frame_lists(paths: Sequence[str | Path], root: str | Path | None = None) -> dict[str, FrameFiles]:
    """PySlowFast frame lists -> the frames of each video by id.

    root: folder that the paths start from; asked only where a row can be read in two ways
    Raises FileNotFoundError, and ValueError for another header, a malformed row or one that can be read in two ways
    (file, line), or a repeated frame.
    """
    ids: dict[str, list[int]] = {}
    files: dict[str, list[bytes]] = {}
    for path in paths:
        with reading(path):
            for row in _rows(Path(path), None if root is None else Path(root)):
                if row.frame > MAX_FRAME:
                    raise ValueError(
                        f"video {row.video!r} has frame {row.frame}, and numbers up to {MAX_FRAME} are read"
                    )
                ids.setdefault(row.video, []).append(row.frame)
                files.setdefault(row.video, []).append(row.path.encode())
    return {video: _sorted_frames(video, ids[video], files[video], paths) for video in ids}


def _rows(path: Path, root: Path | None) -> Iterator[_Row]:
    doubtful = []
    with open_text(path, newline=None) as lines:
        header = next(lines, "").strip()
        if header != FRAME_LIST_HEADER:
            raise ValueError(f"{path}:1: a frame list starts with {FRAME_LIST_HEADER!r}, found {header[:80]!r}")
        for number, line in enumerate(lines, start=2):
            plain = _PLAIN.match(line)  # nearly every row; lists may have millions
            if plain:
                yield _Row(plain[1], plain[2], int(plain[3]), plain[4])
                continue
            text = line.strip()
            if not text:
                continue
            ways = _ways_to_read(text)
            if not ways:
                raise ValueError(f"{path}:{number}: expected {FRAME_LIST_HEADER!r}, found {text[:80]!r}")
            if len(ways) == 1:
                yield ways[0]
            else:
                doubtful.append((number, ways))
    yield from _decided(doubtful, path, root)


def _ways_to_read(line: str) -> list[_Row]:
    """All of them, from the shortest name of the video to the longest; the name alone decides where it is quoted."""
    quoted = _QUOTED.match(line)
    if quoted:
        return [_Row(quoted["video"], quoted["number"], int(quoted["frame"]), _path(quoted["rest"]))]
    words = line.split(" ")
    places = [i for i in range(1, len(words) - 2) if words[i].isdecimal() and words[i + 1].isdecimal()]
    ways = [
        _Row(" ".join(words[:i]), words[i], int(words[i + 1]), _path(" ".join(words[i + 2 :])))
        for i in places
        if words[i + 2 :] != [""]
    ]
    ways = [way for way in ways if way.path]
    agreeing = [way for way in ways if way.names_agree]
    return agreeing if len(agreeing) == 1 else ways


def _path(rest: str) -> str:
    """What follows the numbers, without labels and quotes."""
    return _LABELS.sub("", rest, count=1).strip('"') if " " in rest else rest.strip('"')


def _decided(doubtful: Sequence[tuple[int, list[_Row]]], path: Path, root: Path | None) -> list[_Row]:
    """One way for all rows that begin alike: the one in which frames differ and a video keeps its number."""
    groups: dict[tuple[str, int], list[tuple[int, list[_Row]]]] = {}
    for number, ways in doubtful:
        groups.setdefault((ways[0].video, len(ways)), []).append((number, ways))
    rows: list[_Row] = []
    for (_, count), group in groups.items():
        readings = [[ways[k] for _, ways in group] for k in range(count)]
        readings = [reading for reading in readings if _is_consistent(reading)]
        if len(readings) > 1 and root is not None:
            readings = [reading for reading in readings if (root / reading[0].path).is_file()]
        if len(readings) != 1:
            line, ways = group[0]
            read = " or ".join(f"video {way.video!r}, frame {way.frame}, file {way.path!r}" for way in ways[:_SHOWN])
            raise ValueError(f"{path}:{line}: can be read in several ways: {read}; put names with blanks in quotes")
        rows += readings[0]
    return rows


def _is_consistent(reading: Sequence[_Row]) -> bool:
    frames = sorted((row.video, row.frame) for row in reading)
    numbers = {row.video: row.number for row in reading}
    return all(a != b for a, b in pairwise(frames)) and all(numbers[row.video] == row.number for row in reading)


def _sorted_frames(video: str, ids: list[int], files: list[bytes], sources: Sequence[str | Path]) -> FrameFiles:
    numbers = np.array(ids, dtype=np.int64)
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    repeated = numbers[1:][numbers[1:] == numbers[:-1]]
    if len(repeated):
        lists = ", ".join(str(source) for source in sources)
        raise ValueError(f"{lists}: frame {repeated[0]} of video {video!r} is listed more than once")
    return FrameFiles(numbers, np.array(files)[order])
