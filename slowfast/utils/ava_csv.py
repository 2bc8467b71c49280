"""AVA CSV files <-> BoxTable.

A regular detections file is read a block at a time (`ava_csv_blocks`), any other well-formed file by pandas. Only what
neither can read is read line by line, which decides what is right and names the lines that are wrong.

Ground truth   video,timestamp,x1,y1,x2,y2,label[,person]    a person; an empty label: a person without an action
               video,timestamp                               a key frame that shows nobody
Detections     video,timestamp,x1,y1,x2,y2,label,score
Exclusions     video,timestamp

A first line of column names is skipped. Boxes are xyxy in [0, 1] of the frame. The person id is not read: it may be
anything but numbers with a fraction, which are scores. Timestamps may be zero-padded. Quotes, CRLF, a byte-order mark,
empty lines and `.csv.gz` are fine.
"""

import csv
import gzip
import io
import itertools
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slowfast.structures.box_table import NO_LABEL, BoxTable
from slowfast.utils.ava_csv_blocks import read_regular_detections
from slowfast.utils.files import open_whole
from slowfast.utils.text import not_utf8, open_text

# How far a box may reach outside [0, 1]: an annotated one by what rounding to three decimals moves it, a detected one
# (most detectors do not clip) by half a frame; pixels are further out.
GROUNDTRUTH_MARGIN = 1e-3
DETECTION_MARGIN = 0.5
MAX_INT32 = 2**31 - 1
SHOWN_PROBLEMS = 5
JUDGED_ROWS = 1000  # of ground truth, for whether they are detections
UNREADABLE = (OSError, EOFError, zlib.error)  # the last two: a damaged .gz
GROUNDTRUTH_COLUMNS = "2, 7 or 8 columns (video,timestamp,x1,y1,x2,y2,label[,person])"
DETECTION_COLUMNS = "8 columns (video,timestamp,x1,y1,x2,y2,label,score)"
EXCLUSION_COLUMNS = "2 columns (video,timestamp)"
TIME_NAMES = ("timestamp", "time", "second", "seconds", "sec", "frame", "frame_id", "middle_frame_timestamp")

# Before 3.1 pandas reads 17 digits to within some hundred units in the last place unless it is asked; since then exactly.
_PANDAS = tuple(int(part) for part in pd.__version__.split(".")[:2])
_EXACT: dict[str, Any] = {"float_precision": "round_trip"} if _PANDAS < (3, 1) else {}

# One parsed line: video, timestamp, x1, y1, x2, y2, label, score
Row = tuple[str, int, float, float, float, float, int, float]
NOBODY = (math.nan,) * 4


def read_groundtruth_csv(path: str | Path) -> BoxTable:
    """Annotations; `score` is None.

    A row with a finite box and NO_LABEL is a person without an action, a row with a NaN box only lists its key frame.

    Raises FileNotFoundError, or ValueError naming the file and the first lines that break a rule.
    """
    table = _read(Path(path), _groundtruth_row)
    if len(table) == 0:
        raise ValueError(f"{path}: the file is empty")
    _refuse_scores(Path(path))
    return BoxTable(table.videos, table.video, table.timestamp, table.boxes, table.label)


def read_detections_csv(path: str | Path) -> BoxTable:
    """Detections with scores; a file without rows is a table without rows. Errors as in `read_groundtruth_csv`."""
    table = _read(Path(path), _detection_row)
    refuse_person_ids(table.scores, path)
    return table


def _refuse_scores(path: Path) -> None:
    """Raise ValueError where column 8 of ground truth holds scores: numbers in the first rows, some with a fraction."""
    with_fraction = ""
    for line, columns in itertools.islice(_lines(path), JUDGED_ROWS):
        if len(columns) < 8:
            return
        try:
            value = float(columns[7])
        except ValueError:
            return
        if not with_fraction and not value.is_integer():
            with_fraction = f"{columns[7]} in line {line}"
    if with_fraction:
        raise ValueError(
            f"{path}: column 8 holds scores ({with_fraction}), so these are detections, and ground truth is wanted "
            f"here: {GROUNDTRUTH_COLUMNS}. Were the two files swapped? Take column 8 off to use detections as ground truth"
        )


def refuse_person_ids(scores: np.ndarray, path: str | Path) -> None:
    """Raise ValueError where the scores (R,) of detections look like person ids: whole numbers, some above 1."""
    if len(scores) and scores.max() > 1 and (scores == np.floor(scores)).all():
        raise ValueError(
            f"{path}: column 8 holds whole numbers up to {scores.max():.0f}, as the person ids of ground truth are, and "
            f"scores are wanted here: {DETECTION_COLUMNS}. Were the two files swapped? Divide scores that are whole "
            "numbers by the largest"
        )


def read_exclusions_csv(path: str | Path) -> set[tuple[str, int]]:
    """Key frames (video, timestamp); errors as in `read_groundtruth_csv`."""
    table = _read(Path(path), _exclusion_row)
    if len(table) == 0:
        raise ValueError(f"{path}: the file is empty")
    return {(table.videos[video], int(time)) for video, time in zip(table.video, table.timestamp, strict=True)}


def _read(path: Path, parse_row: Callable[[list[str]], Row]) -> BoxTable:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    table = _read_in_blocks(path) if parse_row is _detection_row else None
    if table is None:
        table = _read_at_once(path, parse_row)
    if table is None:
        table = _read_line_by_line(path, parse_row)
    return table


def is_header(columns: Sequence[str]) -> bool:
    """Is this first row of a file column names? The second column names a time, or all columns from there on hold words.

    Rows of values have a number in the second column, so none is taken for names.
    """
    if len(columns) < 2:
        return False
    if columns[1].strip().lower() in TIME_NAMES:
        return not any(map(_is_number, columns[2:]))
    return len(columns) >= 7 and not any(text == "" or _is_number(text) for text in columns[1:])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _starts_with_header(path: Path) -> bool:
    """Is the first line of the file column names? What cannot be read is not, and is for the readers to tell."""
    try:
        with open_text(path) as file:
            return is_header(next(csv.reader([file.readline()]), []))
    except (ValueError, csv.Error, *UNREADABLE):
        return False


def _read_in_blocks(path: Path) -> BoxTable | None:
    """The table of a regular detections file; None for any other."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            if _starts_with_header(path):
                file.readline()
            return read_regular_detections(file, partial(_are_boxes, margin=DETECTION_MARGIN))
    except UNREADABLE:
        return None


def _read_at_once(path: Path, parse_row: Callable) -> BoxTable | None:
    """The table if every line follows the rules; None as soon as one may not."""
    with_score, with_boxes = parse_row is _detection_row, parse_row is not _exclusion_row
    # One column more than the format has shows rows that are too long.
    width = 9 if with_boxes else 3
    floats = [*range(2, 8 if with_score else 7), width - 1] if with_boxes else [width - 1]
    kinds = {0: str, 1: np.int32, 7: str} | dict.fromkeys(floats, np.float64)
    try:
        frame = pd.read_csv(
            path,
            header=None,
            skiprows=int(_starts_with_header(path)),
            names=range(width),
            dtype={column: kinds[column] for column in range(width)},
            keep_default_na=False,
            na_values={column: [""] for column in floats},
            encoding="utf-8",
            **_EXACT,
        )
    except (ValueError, OverflowError, *UNREADABLE):  # ParserError and UnicodeDecodeError are ValueErrors
        return None
    # Rows that are longer still become an index.
    if len(frame) == 0 or not isinstance(frame.index, pd.RangeIndex) or frame[width - 1].notna().any():
        return None
    video, names = pd.factorize(frame[0])
    table = BoxTable(
        videos=tuple(names),
        video=video.astype(np.int32),
        timestamp=frame[1].to_numpy(),
        boxes=np.stack([frame[c].to_numpy() for c in range(2, 6)], axis=1) if with_boxes else np.empty((len(frame), 4)),
        label=np.empty(len(frame), dtype=np.int32),
        score=frame[7].to_numpy() if with_score else None,
    )
    if "" in table.videos or (table.timestamp < 0).any():
        return None
    if with_boxes and not _follows_rules(table, frame[6].to_numpy(), with_score):
        return None
    return table


def _follows_rules(table: BoxTable, label: np.ndarray, with_score: bool) -> bool:
    """The rules of `_groundtruth_row` and `_detection_row` for all rows; fills table.label."""
    empty = np.isnan(label)
    good = _are_boxes(table.boxes, DETECTION_MARGIN if with_score else GROUNDTRUTH_MARGIN)
    with np.errstate(invalid="ignore"):
        good &= empty | ((label >= 1) & (label <= MAX_INT32) & (label == np.floor(label)))
    if with_score:
        good &= np.isfinite(table.scores) & ~empty
    else:
        good |= empty & np.isnan(table.boxes).all(axis=1)
    if not good.all():
        return False
    table.label[:] = np.where(empty, NO_LABEL, label)
    return True


def _are_boxes(boxes: np.ndarray, margin: float) -> np.ndarray:
    """(n, 4) -> (n,) bool: the rules of `_box`."""
    x1, y1, x2, y2 = boxes.T
    return (x1 >= -margin) & (y1 >= -margin) & (x2 <= 1 + margin) & (y2 <= 1 + margin) & (x2 >= x1) & (y2 >= y1)


def _read_line_by_line(path: Path, parse_row: Callable[[list[str]], Row]) -> BoxTable:
    """The slow reader: it decides what is right, and names what is wrong."""
    rows: list[Row] = []
    problems: list[str] = []
    num_problems = 0
    for line, columns in _lines(path):
        try:
            rows.append(parse_row(columns))
        except ValueError as error:
            num_problems += 1
            if len(problems) < SHOWN_PROBLEMS:
                problems.append(f"  line {line}: {error}")
    if num_problems:
        more = f"\n  and {num_problems - len(problems)} more" if num_problems > len(problems) else ""
        plural = "s" if num_problems > 1 else ""
        raise ValueError(f"{path}: {num_problems} malformed line{plural}:\n" + "\n".join(problems) + more)
    names = {name: number for number, name in enumerate(dict.fromkeys(row[0] for row in rows))}
    by_column: list[tuple] = list(zip(*rows, strict=True)) if rows else [()] * 8
    return BoxTable(
        videos=tuple(names),
        video=np.array([names[name] for name in by_column[0]], dtype=np.int32),
        timestamp=np.array(by_column[1], dtype=np.int32),
        boxes=np.array(by_column[2:6], dtype=np.float64).T.reshape(-1, 4),
        label=np.array(by_column[6], dtype=np.int32),
        score=np.array(by_column[7], dtype=np.float64),
    )


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
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


def _exclusion_row(columns: list[str]) -> Row:
    if len(columns) != 2:
        raise ValueError(f"expected {EXCLUSION_COLUMNS}, found {len(columns)}")
    return (*_key_frame(columns), *NOBODY, NO_LABEL, math.nan)


def _groundtruth_row(columns: list[str]) -> Row:
    if len(columns) not in (2, 7, 8):
        raise ValueError(f"expected {GROUNDTRUTH_COLUMNS}, found {len(columns)}")
    key_frame = _key_frame(columns)
    if not any(columns[2:7]):
        return (*key_frame, *NOBODY, NO_LABEL, math.nan)
    label = NO_LABEL if columns[6] == "" else _label(columns[6])
    return (*key_frame, *_box(columns[2:6], GROUNDTRUTH_MARGIN), label, math.nan)


def _detection_row(columns: list[str]) -> Row:
    if len(columns) != 8:
        swapped = "; is this ground truth?" if len(columns) in (2, 7) else ""
        raise ValueError(f"expected {DETECTION_COLUMNS}, found {len(columns)}{swapped}")
    score = _number(columns[7], "score")
    return (*_key_frame(columns), *_box(columns[2:6], DETECTION_MARGIN), _label(columns[6]), score)


def _key_frame(columns: list[str]) -> tuple[str, int]:
    video, timestamp = columns[:2]
    if video == "":
        raise ValueError("the video name is empty")
    if re.fullmatch(r"\s*\+?[0-9]+(\.0*)?\s*", timestamp) is None or float(timestamp) > MAX_INT32:
        raise ValueError(f"timestamp {timestamp!r} is not a whole number from 0 to {MAX_INT32}")
    return video, int(float(timestamp))


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} {text!r} is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} {text!r} is not finite")
    return value


def _label(text: str) -> int:
    value = _number(text, "label")
    if not 1 <= value <= MAX_INT32 or value != int(value):
        raise ValueError(f"label {text!r} is not a class id (a whole number from 1)")
    return int(value)


def _box(texts: list[str], margin: float) -> tuple[float, float, float, float]:
    box = [_number(text, name) for text, name in zip(texts, ("x1", "y1", "x2", "y2"), strict=True)]
    if min(box) < -margin or max(box) > 1 + margin:
        raise ValueError(
            f"box {box} reaches outside [0, 1] by more than {margin:g}; boxes are x1,y1,x2,y2 as fractions of the "
            "frame, not pixels"
        )
    if box[2] < box[0] or box[3] < box[1]:
        raise ValueError(f"box {box} is inverted: x2 must be >= x1 and y2 >= y1 (x1,y1,x2,y2, not x,y,width,height)")
    x1, y1, x2, y2 = box
    return x1, y1, x2, y2


def write_detections_csv(table: BoxTable, path: str | Path) -> None:
    """Write detections so that `read_detections_csv` returns the same float32 (or float64) values.

    Rows keep their order. The file appears under `path` only when it is complete; a failure leaves what was there.
    Raises ValueError for a table without scores or with a row without a label.
    """
    path = Path(path)
    if table.score is None:
        raise ValueError(f"{path}: a detections file needs scores, and this table has none")
    if (table.label == NO_LABEL).any():
        raise ValueError(
            f"{path}: a detections file needs a label in every row; row {int(np.argmin(table.label))} has none"
        )
    if path.suffix == ".gz":
        with open_whole(path, "wb") as packed, gzip.open(packed, "wt", encoding="utf-8", newline="") as file:
            file.writelines(_formatted(table))
    else:
        with open_whole(path) as file:
            file.writelines(_formatted(table))


def _formatted(table: BoxTable, rows_at_once: int = 1 << 16) -> Iterable[str]:
    """Text of the file in pieces of `rows_at_once` rows. The rows of one box share the text of their first columns."""
    names = [_quoted(name) for name in table.videos]
    box_format = ",".join([_format_of(table.boxes.dtype)] * 4)
    score_format = _format_of(table.scores.dtype)
    for start in range(0, len(table), rows_at_once):
        rows = slice(start, start + rows_at_once)
        video, timestamp, boxes = table.video[rows], table.timestamp[rows], table.boxes[rows]
        changes = np.diff(video) != 0
        changes |= np.diff(timestamp) != 0
        changes |= (boxes[1:] != boxes[:-1]).any(axis=1)
        starts = np.append(0, np.flatnonzero(changes) + 1)
        prefixes = [
            f"{names[v]},{t:04d},{box_format % tuple(box)},"
            for v, t, box in zip(
                video[starts].tolist(), timestamp[starts].tolist(), boxes[starts].tolist(), strict=True
            )
        ]
        prefix = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(video))).tolist()
        scores = map(score_format.__mod__, table.scores[rows].tolist())
        lines = zip(prefix, table.label[rows].tolist(), scores, strict=True)
        yield "".join([f"{prefixes[p]}{label},{score}\n" for p, label, score in lines])


def _format_of(dtype: np.dtype) -> str:
    """The shortest fixed number of digits from which every value of the type can be restored."""
    return "%.17g" if dtype == np.float64 else "%.9g"


def _quoted(name: str) -> str:
    """The name as a CSV field, quoted if it has to be."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow([name])
    return buffer.getvalue()


def concatenate_tables(tables: Sequence[BoxTable]) -> BoxTable:
    """One table with the rows of all of them, in order; the same video name is one video."""
    names = tuple(dict.fromkeys(name for table in tables for name in table.videos))
    index = {name: i for i, name in enumerate(names)}
    video = [np.array([index[name] for name in table.videos], dtype=np.int32)[table.video] for table in tables]
    scored = [table.score is not None for table in tables]
    if any(scored) and not all(scored):
        raise ValueError(
            "tables with scores and tables without cannot be joined: detections and ground truth were mixed"
        )
    return BoxTable(
        videos=names,
        video=np.concatenate(video),
        timestamp=np.concatenate([table.timestamp for table in tables]),
        boxes=np.concatenate([table.boxes for table in tables]),
        label=np.concatenate([table.label for table in tables]),
        score=np.concatenate([table.score for table in tables]) if all(scored) else None,
    )
