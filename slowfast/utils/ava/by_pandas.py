"""AVA CSV files of any regular form by pandas, a whole file at once; imported only where it is needed (`tables`)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable, exact_times
from slowfast.utils.ava.rows import (
    DETECTION_MARGIN,
    GROUNDTRUTH_MARGIN,
    MAX_INT32,
    UNREADABLE,
    RowParser,
    are_boxes,
    detection_row,
    exclusion_row,
    lines_of,
    read_time,
    starts_with_header,
)

# Before 3.1 pandas reads 17 digits to within some hundred units in the last place unless it is asked; since then exactly.
_PANDAS = tuple(int(part) for part in pd.__version__.split(".")[:2])
_EXACT: dict[str, Any] = {"float_precision": "round_trip"} if _PANDAS < (3, 1) else {}


def read_at_once(path: Path, parse_row: RowParser) -> BoxTable | None:
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
            skiprows=int(starts_with_header(path)),
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
    good = are_boxes(table.boxes, DETECTION_MARGIN if with_score else GROUNDTRUTH_MARGIN)
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
