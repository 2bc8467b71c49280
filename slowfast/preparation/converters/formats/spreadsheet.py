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
from pathlib import Path

from slowfast.preparation.converters.annotations import (
    Annotations,
    Box,
    Label,
    Timing,
    VideoTimes,
    annotations_of,
    from_pixels,
)
from slowfast.structures.annotations.box_table import plain_time
from slowfast.utils.files import write_text
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import read_text
from slowfast.video.source import ClipReadError

_TIMES, _ACTIONS = ("time", "second", "seconds", "timestamp"), ("action", "actions", "label", "class")
_TRACKS = ("track", "person", "id", "track_id", "person_id")
_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
_SIZES = (("left", "top", "width", "height"), ("x", "y", "w", "h"), ("x", "y", "width", "height"))
COLUMNS = ("video", "time", "x1", "y1", "x2", "y2", "action", "track")


@names_its_file()
def read_spreadsheet(path: Path, videos: VideoTimes, *, first_frame: int = 0) -> Annotations:
    """Raises ValueError that names the file, and the line where one is wrong."""
    text = read_text(path)
    dialect = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    rows = list(csv.reader(io.StringIO(text), delimiter=dialect))
    names = [name.strip().lower() for name in rows[0]] if rows else []
    column = {name: place for place, name in enumerate(names)}
    time, action, track = (next((n for n in known if n in column), "") for known in (_TIMES, _ACTIONS, _TRACKS))
    corners = next((c for c in _CORNERS if set(c) <= set(column)), None)
    sizes = next((c for c in _SIZES if set(c) <= set(column)), None)
    if "video" not in column or not (time or "frame" in column) or not (corners or sizes):
        raise ValueError(
            f"{path}: the first line must name the columns video, time (or frame) and x1, y1, x2, y2 (or left, top, "
            f"width, height); it has {', '.join(names)}"
        )
    read = []
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        cells = {name: row[place].strip() if place < len(row) else "" for name, place in column.items()}
        try:
            video = videos.name(cells["video"])
            second = _number(cells, time) if time else _second_of(cells, videos.of(video), first_frame)
            read.append((line, video, second, _corners(cells, corners, sizes), cells))
        except (ValueError, IndexError, ClipReadError) as error:
            raise ValueError(f"{path}:{line}: {error}") from None
    pixels = any(box is not None and max(box) > 2 for _, _, _, box, _ in read)
    labels, empty = [], []
    for line, video, second, box, cells in read:
        if box is None:
            empty.append((video, second))
            continue
        if pixels:
            try:
                box = from_pixels(box, videos.of(video).size)
            except ClipReadError as error:
                raise ValueError(f"{path}:{line}: {error}") from None
        if box[2] <= box[0] or box[3] <= box[1]:
            shown = ", ".join(f"{side:g}" for side in box)
            raise ValueError(
                f"{path}:{line}: box ({shown}) is inverted or has no area; do the columns {', '.join(corners or sizes or ())} "
                "hold what they are called?"
            )
        actions = tuple(word.strip() for word in cells.get(action, "").split(";") if word.strip())
        score = _number(cells, "score") if cells.get("score") else None
        labels.append(Label(video, second, box, actions, cells.get(track, ""), score))
    return annotations_of(labels, empty=empty)


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
    return timing.second_of(int(number) - first_frame)


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
