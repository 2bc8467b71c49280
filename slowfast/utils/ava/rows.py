"""AVA CSV files line by line: the slow reader, which decides what is right and names what is wrong.

The formats are those of `tables`. A reader that is given a list for problems puts every bad line there and goes on; a
reader that is given none stops, and its error names the first few.
"""

import csv
import math
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable, exact_times, plain_time
from slowfast.structures.annotations.problem import Problem
from slowfast.utils.text import not_utf8, open_text

# How far a box may reach outside [0, 1]: an annotated one by what rounding to three decimals moves it, a detected one
# (most detectors do not clip) by half a frame; pixels are further out.
GROUNDTRUTH_MARGIN = 1e-3
DETECTION_MARGIN = 0.5
MAX_INT32 = 2**31 - 1
SHOWN_PROBLEMS = 5
UNREADABLE = (OSError, EOFError, zlib.error)  # the last two: a damaged .gz
GROUNDTRUTH_COLUMNS = "2, 7 or 8 columns (video,timestamp,x1,y1,x2,y2,label[,person])"
DETECTION_COLUMNS = "8 columns (video,timestamp,x1,y1,x2,y2,label,score)"
EXCLUSION_COLUMNS = "2 columns (video,timestamp)"
TIME_NAMES = ("timestamp", "time", "second", "seconds", "sec", "frame", "frame_id", "middle_frame_timestamp")
TIME = re.compile(r"\s*\+?[0-9]+(\.[0-9]*)?\s*")

# One parsed line: video, timestamp, x1, y1, x2, y2, label, score
Row = tuple[str, float, float, float, float, float, int, float]
RowParser = Callable[[list[str]], Row]
NOBODY = (math.nan,) * 4


class RowError(ValueError):
    """A line breaks a rule; kind: "row", "time", "box outside" or "box inverted"."""

    def __init__(self, reason: str, kind: str = "row") -> None:
        super().__init__(reason)
        self.kind = kind


def is_header(columns: Sequence[str]) -> bool:
    """Is this first row of a file column names? The second column names a time, or all columns from there on hold words.

    Rows of values have a number in the second column, so none is taken for names.
    """
    if len(columns) < 2:
        return False
    if columns[1].strip().lower() in TIME_NAMES:
        return not any(map(_is_number, columns[2:]))
    return len(columns) >= 7 and not any(text == "" or _is_number(text) for text in columns[1:])


def starts_with_header(path: Path) -> bool:
    """Is the first line of the file column names? What cannot be read is not, and is for the readers to tell."""
    try:
        with open_text(path) as file:
            return is_header(next(csv.reader([file.readline()]), []))
    except (ValueError, csv.Error, *UNREADABLE):
        return False


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_rows(path: Path, parse_row: RowParser, problems: list[Problem]) -> tuple[BoxTable, np.ndarray]:
    """The rows that can be read, and (R,) int64 the line of each; what cannot is added to `problems`, with its line.

    Raises ValueError where the file is no text in UTF-8, or no CSV.
    """
    rows: list[Row] = []
    lines: list[int] = []
    for line, columns in lines_of(path):
        try:
            rows.append(parse_row(columns))
            lines.append(line)
        except RowError as error:
            problems.append(Problem(str(path), line, str(error), error.kind))
    names = {name: number for number, name in enumerate(dict.fromkeys(row[0] for row in rows))}
    by_column: list[tuple] = list(zip(*rows, strict=True)) if rows else [()] * 8
    table = BoxTable(
        videos=tuple(names),
        video=np.array([names[name] for name in by_column[0]], dtype=np.int32),
        timestamp=exact_times(np.array(by_column[1], dtype=np.float64)),
        boxes=np.array(by_column[2:6], dtype=np.float64).T.reshape(-1, 4),
        label=np.array(by_column[6], dtype=np.int32),
        score=np.array(by_column[7], dtype=np.float64),
    )
    return table, np.array(lines, dtype=np.int64)


def read_line_by_line(path: Path, parse_row: RowParser) -> BoxTable:
    """All rows. Raises ValueError that names the first lines that break a rule."""
    problems: list[Problem] = []
    table, _ = read_rows(path, parse_row, problems)
    if problems:
        shown = [f"  line {problem.line}: {problem.reason}" for problem in problems[:SHOWN_PROBLEMS]]
        more = f"\n  and {len(problems) - len(shown)} more" if len(problems) > len(shown) else ""
        plural = "s" if len(problems) > 1 else ""
        raise ValueError(f"{path}: {len(problems)} malformed line{plural}:\n" + "\n".join(shown) + more)
    return table


def lines_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, columns) of every line that is not blank and not the column names in the first."""
    with open_text(path) as file:
        reader = csv.reader(file)
        try:
            for columns in reader:
                if columns and not (reader.line_num == 1 and is_header(columns)):
                    yield reader.line_num, columns
        except UnicodeDecodeError:
            raise ValueError(not_utf8(path)) from None
        except (csv.Error, *UNREADABLE) as error:
            raise ValueError(f"{path}: cannot be read as UTF-8 CSV after line {reader.line_num}: {error}") from None


def _separated(columns: list[str]) -> str:
    """What stands between the cells of a line in place of commas."""
    found = next(
        (name for sign, name in ((";", "semicolons"), ("\t", "tabs")) if len(columns) == 1 and sign in columns[0]), ""
    )
    return f"; its cells stand between {found}, and commas are wanted" if found else ""


def exclusion_row(columns: list[str]) -> Row:
    if len(columns) != 2:
        raise RowError(f"expected {EXCLUSION_COLUMNS}, found {len(columns)}{_separated(columns)}")
    return (*_key_frame(columns), *NOBODY, NO_LABEL, math.nan)


def groundtruth_row(columns: list[str]) -> Row:
    if len(columns) not in (2, 7, 8):
        raise RowError(f"expected {GROUNDTRUTH_COLUMNS}, found {len(columns)}{_separated(columns)}")
    key_frame = _key_frame(columns)
    if not any(columns[2:7]):
        return (*key_frame, *NOBODY, NO_LABEL, math.nan)
    label = NO_LABEL if columns[6] == "" else _label(columns[6])
    return (*key_frame, *_box(columns[2:6], GROUNDTRUTH_MARGIN), label, math.nan)


def detection_row(columns: list[str]) -> Row:
    score = _score_of(columns)
    return (*_key_frame(columns), *_box(columns[2:6], DETECTION_MARGIN), _label(columns[6]), score)


def any_detection_row(columns: list[str]) -> Row:
    """As `detection_row` with any four numbers for a box and any whole number for a class: to find out what they are."""
    score = _score_of(columns)
    x1, y1, x2, y2 = _corners(columns[2:6])
    label = _number(columns[6], "label")
    if label != int(label) or abs(label) > MAX_INT32:
        raise RowError(f"label {columns[6]!r} is not a whole number")
    return (*_key_frame(columns), x1, y1, x2, y2, int(label), score)


def _score_of(columns: list[str]) -> float:
    if len(columns) != 8:
        swapped = "; is this ground truth?" if len(columns) in (2, 7) else ""
        raise RowError(f"expected {DETECTION_COLUMNS}, found {len(columns)}{swapped}{_separated(columns)}")
    return _number(columns[7], "score")


def _key_frame(columns: list[str]) -> tuple[str, float]:
    video, timestamp = columns[:2]
    if video == "":
        raise RowError("the video name is empty")
    return video, read_time(timestamp)


def read_time(text: str) -> float:
    """A timestamp, to the thousandth of a second; an int where it is whole. Raises RowError."""
    if TIME.fullmatch(text) is None or float(text) > MAX_INT32:
        raise RowError(f"timestamp {text!r} is not a number from 0 to {MAX_INT32}, such as 902 or 3.5", "time")
    return plain_time(float(text))


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise RowError(f"{name} {text!r} is not a number") from None
    if not math.isfinite(value):
        raise RowError(f"{name} {text!r} is not finite")
    return value


def _label(text: str) -> int:
    value = _number(text, "label")
    if not 1 <= value <= MAX_INT32 or value != int(value):
        raise RowError(f"label {text!r} is not a class id (a whole number from 1)")
    return int(value)


def _corners(texts: list[str]) -> list[float]:
    return [_number(text, name) for text, name in zip(texts, ("x1", "y1", "x2", "y2"), strict=True)]


def _box(texts: list[str], margin: float) -> tuple[float, float, float, float]:
    box = _corners(texts)
    if min(box) < -margin or max(box) > 1 + margin:
        raise RowError(
            f"box {box} reaches outside [0, 1] by more than {margin:g}; boxes are x1,y1,x2,y2 as fractions of the "
            "frame, not pixels",
            "box outside",
        )
    if box[2] < box[0] or box[3] < box[1]:
        raise RowError(
            f"box {box} is inverted: x2 must be >= x1 and y2 >= y1 (x1,y1,x2,y2, not x,y,width,height)", "box inverted"
        )
    x1, y1, x2, y2 = box
    return x1, y1, x2, y2


def are_boxes(boxes: np.ndarray, margin: float) -> np.ndarray:
    """(n, 4) -> (n,) bool: the rules of `_box`, for many."""
    x1, y1, x2, y2 = boxes.T
    return (x1 >= -margin) & (y1 >= -margin) & (x2 <= 1 + margin) & (y2 <= 1 + margin) & (x2 >= x1) & (y2 >= y1)
