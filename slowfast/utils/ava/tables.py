"""AVA CSV files <-> BoxTable.

A regular detections file is read a block at a time (`blocks`), any other well-formed file by pandas. Only what
neither can read is read line by line, which decides what is right and names the lines that are wrong.

Ground truth   video,timestamp,x1,y1,x2,y2,label[,person]    a person; an empty label: a person without an action
               video,timestamp                               a key frame that shows nobody
Detections     video,timestamp,x1,y1,x2,y2,label,score
Exclusions     video,timestamp

A first line of column names is skipped. Boxes are xyxy in [0, 1] of the frame. The person id is not read: it may be
anything but numbers with a fraction, which are scores. Timestamps may be zero-padded, and have a fraction, of which
thousandths count. Quotes, CRLF, a byte-order mark, empty lines and `.csv.gz` are fine.
"""

import csv
import gzip
import io
import itertools
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable, exact_times, time_text
from slowfast.structures.annotations.problem import Problem
from slowfast.utils.ava.blocks import read_regular_detections
from slowfast.utils.ava.rows import (
    DETECTION_COLUMNS,
    DETECTION_MARGIN,
    GROUNDTRUTH_COLUMNS,
    GROUNDTRUTH_MARGIN,
    MAX_INT32,
    UNREADABLE,
    RowParser,
    detection_row,
    exclusion_row,
    groundtruth_row,
    is_header,
    lines_of,
    read_line_by_line,
    read_rows,
    read_time,
)
from slowfast.utils.files import open_whole
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import open_text

__all__ = [
    "collect_exclusions",
    "collect_groundtruth",
    "concatenate_tables",
    "is_header",
    "read_detections_csv",
    "read_exclusions_csv",
    "read_groundtruth_csv",
    "refuse_person_ids",
    "write_detections_csv",
]

JUDGED_ROWS = 1000  # of ground truth, for whether they are detections
# Before 3.1 pandas reads 17 digits to within some hundred units in the last place unless it is asked; since then exactly.
_PANDAS = tuple(int(part) for part in pd.__version__.split(".")[:2])
_EXACT: dict[str, Any] = {"float_precision": "round_trip"} if _PANDAS < (3, 1) else {}


@names_its_file()
def read_groundtruth_csv(path: str | Path) -> BoxTable:
    """Annotations; `score` is None.

    A row with a finite box and NO_LABEL is a person without an action, a row with a NaN box only lists its key frame.

    Raises FileNotFoundError, or ValueError naming the file and the first lines that break a rule.
    """
    table = _read(Path(path), groundtruth_row)
    if len(table) == 0:
        raise ValueError(f"{path}: the file is empty")
    _refuse_scores(Path(path))
    return BoxTable(table.videos, table.video, table.timestamp, table.boxes, table.label)


@names_its_file()
def read_detections_csv(path: str | Path) -> BoxTable:
    """Detections with scores; a file without rows is a table without rows. Errors as in `read_groundtruth_csv`."""
    table = _read(Path(path), detection_row)
    refuse_person_ids(table.scores, path)
    return table


@names_its_file()
def collect_groundtruth(path: str | Path, problems: list[Problem]) -> tuple[BoxTable, np.ndarray]:
    """As `read_groundtruth_csv`, with the line of each row, (R,) int64; what is wrong is added to `problems`.

    Raises FileNotFoundError, and ValueError where no line can be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    table, lines = _collect(path, groundtruth_row, problems)
    if scores := _scores_in_column_8(path):
        problems.append(Problem(str(path), 0, scores, "scores"))
    return BoxTable(table.videos, table.video, table.timestamp, table.boxes, table.label), lines


@names_its_file()
def collect_exclusions(path: str | Path, problems: list[Problem]) -> tuple[BoxTable, np.ndarray]:
    """The key frames of an exclusion file as rows without a box, the line of each, (R,); errors as above."""
    return _collect(Path(path), exclusion_row, problems)


def _collect(path: Path, parse_row: RowParser, problems: list[Problem]) -> tuple[BoxTable, np.ndarray]:
    table = _read_at_once(path, parse_row)
    if table is None:
        table, lines = read_rows(path, parse_row, problems)
    else:
        lines = np.fromiter((line for line, _ in lines_of(path)), dtype=np.int64, count=len(table))
    if len(table) == 0:
        problems.append(Problem(str(path), 0, "the file is empty, or no line of it can be read", "empty"))
    return table, lines


def _refuse_scores(path: Path) -> None:
    if scores := _scores_in_column_8(path):
        raise ValueError(f"{path}: {scores}")


def _scores_in_column_8(path: Path) -> str:
    """What is wrong where column 8 of ground truth holds scores: numbers in the first rows, some with a fraction."""
    with_fraction = ""
    for line, columns in itertools.islice(lines_of(path), JUDGED_ROWS):
        if len(columns) < 8:
            return ""
        try:
            value = float(columns[7])
        except ValueError:
            return ""
        if not with_fraction and not value.is_integer():
            with_fraction = f"{columns[7]} in line {line}"
    if not with_fraction:
        return ""
    return (
        f"column 8 holds scores ({with_fraction}), so these are detections, and ground truth is wanted here: "
        f"{GROUNDTRUTH_COLUMNS}. Were the two files swapped? Take column 8 off to use detections as ground truth"
    )


def refuse_person_ids(scores: np.ndarray, path: str | Path) -> None:
    """Raise ValueError where the scores (R,) of detections look like person ids: whole numbers, some above 1."""
    if len(scores) and scores.max() > 1 and (scores == np.floor(scores)).all():
        raise ValueError(
            f"{path}: column 8 holds whole numbers up to {scores.max():.0f}, as the person ids of ground truth are, and "
            f"scores are wanted here: {DETECTION_COLUMNS}. Were the two files swapped? Divide scores that are whole "
            "numbers by the largest"
        )


@names_its_file()
def read_exclusions_csv(path: str | Path) -> set[tuple[str, float]]:
    """Key frames (video, timestamp); errors as in `read_groundtruth_csv`."""
    table = _read(Path(path), exclusion_row)
    if len(table) == 0:
        raise ValueError(f"{path}: the file is empty")
    return {(table.videos[video], time) for video, time in zip(table.video, table.timestamp.tolist(), strict=True)}


def _read(path: Path, parse_row: RowParser) -> BoxTable:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    table = _read_in_blocks(path) if parse_row is detection_row else None
    if table is None:
        table = _read_at_once(path, parse_row)
    if table is None:
        table = read_line_by_line(path, parse_row)
    return table


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


def _read_at_once(path: Path, parse_row: RowParser) -> BoxTable | None:
    """The table if every line follows the rules; None as soon as one may not."""
    with_score, with_boxes = parse_row is detection_row, parse_row is not exclusion_row
    # One column more than the format has shows rows that are too long.
    width = 9 if with_boxes else 3
    floats = [*range(2, 8 if with_score else 7), width - 1] if with_boxes else [width - 1]
    frame = _columns(path, width, floats, times=np.int32)
    if frame is None:  # times with a fraction, or something wrong
        frame = _columns(path, width, floats, times=str)
    # Rows that are longer still become an index.
    if frame is None or not isinstance(frame.index, pd.RangeIndex) or frame[width - 1].notna().any():
        return None
    timestamp = _times(frame[1])
    if len(frame) == 0 or timestamp is None:
        return None
    video, names = pd.factorize(frame[0])
    table = BoxTable(
        videos=tuple(names),
        video=video.astype(np.int32),
        timestamp=timestamp,
        boxes=np.stack([frame[c].to_numpy() for c in range(2, 6)], axis=1) if with_boxes else np.empty((len(frame), 4)),
        label=np.empty(len(frame), dtype=np.int32),
        score=frame[7].to_numpy() if with_score else None,
    )
    if "" in table.videos or (table.timestamp < 0).any():
        return None
    if with_boxes and not _follows_rules(table, frame[6].to_numpy(), with_score):
        return None
    # A row that ends before its label and one whose label is empty are the same to pandas.
    short = with_boxes and not with_score and bool((frame[6].isna() & frame[2].notna()).any())
    if short and not all(len(columns) in (2, 7, 8) for _, columns in lines_of(path)):
        return None
    return table


def _columns(path: Path, width: int, floats: list[int], *, times: type) -> pd.DataFrame | None:
    """The columns of a file, the second of type `times`; None where one is of another type than it should be."""
    kinds: dict[int, type] = {0: str, 1: times, 7: str} | dict.fromkeys(floats, np.float64)
    try:
        return pd.read_csv(
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


def _times(column: pd.Series) -> np.ndarray | None:
    """A column of whole numbers, or of texts, each of which is read once; None where one is no time."""
    if column.dtype == np.int32:
        return column.to_numpy()
    number, texts = pd.factorize(column)
    try:
        return exact_times(np.array([read_time(text) for text in texts], dtype=np.float64))[number]
    except ValueError:
        return None


def _follows_rules(table: BoxTable, label: np.ndarray, with_score: bool) -> bool:
    """The rules of `groundtruth_row` and `detection_row` for all rows; fills table.label."""
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
            f"{names[v]},{time_text(t)},{box_format % tuple(box)},"
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
        timestamp=exact_times(np.concatenate([table.timestamp for table in tables])),
        boxes=np.concatenate([table.boxes for table in tables]),
        label=np.concatenate([table.label for table in tables]),
        score=np.concatenate([table.score for table in tables]) if all(scored) else None,
    )
