"""AVA CSV files <-> BoxTable.

A regular file of detections, or of ground truth with person ids, is read a block at a time (`blocks`), any other
well-formed file by pandas (`by_pandas`). What neither can read, and small files, are read line by line (`rows`), which
decides what is right and names the lines that are wrong.

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

import numpy as np

from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable, exact_times, time_text
from slowfast.structures.annotations.problem import Problem
from slowfast.utils.ava.blocks import read_regular_rows
from slowfast.utils.ava.rows import (
    DETECTION_COLUMNS,
    DETECTION_MARGIN,
    GROUNDTRUTH_COLUMNS,
    GROUNDTRUTH_MARGIN,
    UNREADABLE,
    RowParser,
    are_boxes,
    detection_row,
    exclusion_row,
    groundtruth_row,
    is_header,
    lines_of,
    read_line_by_line,
    read_rows,
    starts_with_header,
)
from slowfast.utils.files import open_whole
from slowfast.utils.reading import names_its_file

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
# Bytes of a file up to which it is read line by line before pandas, which takes a fifth of a second to import, is.
WORTH_PANDAS = 1 << 18


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
    table = _read_fast(path, parse_row)
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
    table = _read_fast(path, parse_row)
    return read_line_by_line(path, parse_row) if table is None else table


def _read_fast(path: Path, parse_row: RowParser) -> BoxTable | None:
    """The table if every line follows the rules; None as soon as one may not, and for a small file of another kind."""
    table = None if parse_row is exclusion_row else _read_in_blocks(path, parse_row)
    if table is None and path.stat().st_size > WORTH_PANDAS:
        table = _read_at_once(path, parse_row)
    return table


def _read_in_blocks(path: Path, parse_row: RowParser) -> BoxTable | None:
    """The table of a regular file of eight columns; None for any other. The score of ground truth is the person."""
    margin = DETECTION_MARGIN if parse_row is detection_row else GROUNDTRUTH_MARGIN
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            if starts_with_header(path):
                file.readline()
            return read_regular_rows(file, partial(are_boxes, margin=margin))
    except UNREADABLE:
        return None


def _read_at_once(path: Path, parse_row: RowParser) -> BoxTable | None:
    from slowfast.utils.ava.by_pandas import read_at_once

    return read_at_once(path, parse_row)


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
