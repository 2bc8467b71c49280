"""Plain spreadsheets: a CSV with a row per actor and moment, columns found by their names.

video                                the file, with or without folder and extension
time | second | timestamp            seconds since the start of the video, or
frame                                the number of a frame, from 0 (or from `first_frame`)
x1 y1 x2 y2 | xmin ymin xmax ymax | left top right bottom | left top width height | x y w h
action | actions | label | class     one name, or several between ";"; empty: nothing
track | person | id, score           may be missing
Boxes are pixels where one of a file reaches above 2, else fractions. A row without a box is a key frame with nobody.
"""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slowfast.preparation.converters.annotations import (
    Annotations,
    Box,
    Label,
    Timing,
    VideoTimes,
    annotations_of,
    from_pixels,
)
from slowfast.preparation.converters.suspect import looks_like_percent
from slowfast.structures.annotations.box_table import plain_time
from slowfast.utils.files import write_text
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import read_text
from slowfast.video.source import ClipReadError

_TIMES, _ACTIONS = ("time", "second", "seconds", "timestamp"), ("action", "actions", "label", "class")
_TRACKS = ("track", "person", "id", "track_id", "person_id")
_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
_SIZES = (("left", "top", "width", "height"), ("x", "y", "w", "h"), ("x", "y", "width", "height"))
_SEPARATORS, _WORKBOOKS = (",", ";", "\t"), (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
_PIXELS = 2  # a number above it is no fraction of a frame
COLUMNS = ("video", "time", "x1", "y1", "x2", "y2", "action", "track")


@dataclass(frozen=True)
class _Row:
    """A row as it is written. box: xyxy, in the file's unit; None for a key frame with nobody."""

    line: int
    video: str
    second: float
    box: Box | None
    cells: dict[str, str]


@names_its_file()
def read_spreadsheet(path: Path, videos: VideoTimes, *, first_frame: int = 0) -> Annotations:
    """Columns stand between commas, semicolons or tabs, whichever the first line has most of.

    Raises ValueError that names the file, and the line where one is wrong.
    """
    if path.suffix.lower() in _WORKBOOKS:
        raise ValueError(f"{path}: a workbook; save the sheet as CSV UTF-8")
    start, rows = _table(read_text(path))
    names = [name.strip().lower() for name in rows[0]] if rows else []
    column = {name: place for place, name in enumerate(names)}
    time, action, track = (next((n for n in known if n in column), "") for known in (_TIMES, _ACTIONS, _TRACKS))
    corners = next((c for c in _CORNERS if set(c) <= set(column)), None)
    sizes = next((c for c in _SIZES if set(c) <= set(column)), None)
    if "video" not in column or not (time or "frame" in column) or not (corners or sizes):
        has = f"it has {', '.join(names)}" if any(names) else "the file is empty"
        raise ValueError(
            f"{path}: the first line must name the columns video, time (or frame) and x1, y1, x2, y2 (or left, top, width, "
            f"height); {has}"
        )
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise ValueError(f"{path}: the first line names {', '.join(twice)} twice; which column counts?")
    read: list[_Row] = []
    for line, written in enumerate(rows[1:], start=start + 1):
        if not any(cell.strip() for cell in written):
            continue
        try:
            cells = _cells(written, column)
            video = videos.name(cells["video"])
            second = _number(cells, time) if time else _second_of(cells, videos.of(video), first_frame)
            read.append(_Row(line, video, second, _corners(cells, corners, sizes), cells))
        except (ValueError, IndexError, ClipReadError) as error:
            raise ValueError(f"{path}:{line}: {error}") from None
    boxes, remarks = _fractions(read, path, videos, ", ".join(corners or sizes or ()))
    if not time and first_frame == 0 and read and min(_number(row.cells, "frame") for row in read) == 1:
        remarks.append(
            f"{path}: the smallest frame is 1, and frames were counted from 0; where the file counts from 1, say --first-frame 1"
        )
    labels = []
    for row, box in boxes:
        try:
            score = _number(row.cells, "score") if row.cells.get("score") else None
        except ValueError as error:
            raise ValueError(f"{path}:{row.line}: {error}") from None
        actions = tuple(word.strip() for word in row.cells.get(action, "").split(";") if word.strip())
        labels.append(Label(row.video, row.second, box, actions, row.cells.get(track, ""), score))
    found = annotations_of(labels, empty=[(row.video, row.second) for row in read if row.box is None])
    return replace(found, remarks=(*found.remarks, *remarks))


def _table(text: str) -> tuple[int, list[list[str]]]:
    """The line that names the columns, and the cells from it on. Excel's own first line "sep=;" is one before it."""
    start, told = 1, ""
    if text[:4].lower() == "sep=":
        told, _, text = text.partition("\n")
        start, told = 2, told[4:5]
    first = text.partition("\n")[0]
    separator = told or max(_SEPARATORS, key=first.count)
    return start, list(csv.reader(io.StringIO(text), delimiter=separator))


def _cells(row: Sequence[str], column: dict[str, int]) -> dict[str, str]:
    """The cells of a row by column. Raises ValueError where there are more of them than columns."""
    filled = max((place for place, cell in enumerate(row, start=1) if cell.strip()), default=0)
    if filled > max(column.values()) + 1:
        raise ValueError(
            f"{filled} cells under {len(column)} columns: does a comma stand inside a number or a name? Put it between quotes, or "
            "save the sheet with semicolons or tabs between cells"
        )
    return {name: row[place].strip() if place < len(row) else "" for name, place in column.items()}


def _fractions(
    read: Sequence[_Row], path: Path, videos: VideoTimes, names: str
) -> tuple[list[tuple[_Row, Box]], list[str]]:
    """Rows with boxes in fractions of the frame, and remarks. names: of the columns of boxes, for messages.

    Raises ValueError with the line of a box that is inverted, outside, or in another unit than the others.
    """
    rows = [(row, row.box) for row in read if row.box is not None]
    in_pixels = next((row.line for row, box in rows if max(box) > _PIXELS), 0)
    found, sizes = [], []
    for row, box in rows:
        where = f"{path}:{row.line}"
        shown = "(" + ", ".join(f"{side:g}" for side in box) + ")"
        if box[2] <= box[0] or box[3] <= box[1]:
            raise ValueError(
                f"{where}: box {shown} is inverted or has no area; do the columns {names} hold what they are called?"
            )
        if not in_pixels:
            found.append((row, box))
            continue
        if max(box) <= 1:
            raise ValueError(
                f"{where}: box {shown} looks like fractions of the frame, and line {in_pixels} has pixels; one of both"
            )
        try:
            size = videos.of(row.video).size
        except ClipReadError as error:
            raise ValueError(f"{where}: {error}") from None
        if box[0] >= size[1] or box[1] >= size[0] or box[2] <= 0 or box[3] <= 0:
            raise ValueError(
                f"{where}: box {shown} is outside the frame of {size[1]} x {size[0]} pixels; is it in pixels of another size?"
            )
        found.append((row, from_pixels(box, size)))
        sizes.append(size)
    remarks = []
    if in_pixels and looks_like_percent(np.array([box for _, box in rows]), np.array(sizes)):
        remarks.append(
            f"{path}: boxes were read as pixels, and none reaches beyond 100 in films of {sizes[0][1]} x {sizes[0][0]}; are they "
            "percent? Then divide them by 100"
        )
    return found, remarks


_MEANT = dict.fromkeys(_TIMES, "seconds since the start of the video, such as 83.5") | {"frame": "a whole number"}


def _number(cells: dict[str, str], name: str) -> float:
    """A cell as a number; a comma may stand before its fraction, as spreadsheets of many countries write it."""
    try:
        value = float(cells[name].replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"column {name}: {cells[name]!r} is not {_MEANT.get(name, 'a number')}")
    return value


def _second_of(cells: dict[str, str], timing: Timing, first_frame: int) -> float:
    """When the frame of a row is shown."""
    number = _number(cells, "frame")
    if number != int(number):
        raise ValueError(f"column frame: {cells['frame']!r} is not {_MEANT['frame']}")
    try:
        return timing.second_of(int(number) - first_frame)
    except IndexError as error:
        raise ValueError(f"column frame: {error}; does the file count from another number (--first-frame)?") from None


def _corners(cells: dict[str, str], corners: Sequence[str] | None, sizes: Sequence[str] | None) -> Box | None:
    """xyxy as the row has it; None for a row without a box."""
    names = corners or sizes or ()
    if not any(cells[name] for name in names):
        return None
    a, b, c, d = (_number(cells, name) for name in names)
    return (a, b, c, d) if corners else (a, b, a + c, b + d)


def write_spreadsheet(annotations: Annotations, path: Path, videos: VideoTimes) -> None:
    """A row per actor and moment, boxes as fractions with six decimals; a score column where there are scores."""
    scored = any(label.score is not None for label in annotations.labels)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*COLUMNS, *(["score"] if scored else [])])
    rows: list[tuple[str, float, list]] = []
    for label in annotations.labels:
        cells: list = [f"{value:.6f}" for value in label.box]
        cells += [";".join(label.actions), label.track]
        rows.append((label.video, label.time, cells + ([f"{label.score:.6g}"] if label.score is not None else [])))
    rows += [(video, time, [""] * 6) for video, time in annotations.empty]
    for video, time, cells in sorted(rows, key=lambda row: row[:2]):
        writer.writerow([video, plain_time(time), *cells])
    write_text(buffer.getvalue(), path)
