"""Which class videos are taken for: the matrix, the pairs most often confused, and a row of numbers per class. Numpy only.

A video with one label is taken for its best class (of equal scores the one with the lower index). A video without views
is taken for nothing: it is in no cell of the matrix, but counted in `unseen` of its class and in every share, so that

    accuracy + the shares of all pairs of a class + unseen / videos = 1
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slowfast.utils.files import open_whole

NOTHING = -1  # what a video without views is taken for


@dataclass(frozen=True)
class VideoConfusion:
    """names: C classes; counts: (C, C) int64, row: the true class, column: what its videos are taken for;
    unseen: (C,) int64, videos of the class without views, which are in no column."""

    names: tuple[str, ...]
    counts: np.ndarray
    unseen: np.ndarray

    @property
    def videos(self) -> np.ndarray:
        """(C,) int64, videos of each class, those without views too."""
        return self.counts.sum(axis=1) + self.unseen


@dataclass(frozen=True)
class ConfusedPair:
    """`count` videos of class `true` are taken for `predicted` (indices); share: of all videos of `true`."""

    true: int
    predicted: int
    count: int
    share: float


@dataclass(frozen=True)
class ClassRow:
    """One class of C.

    videos:    with this label
    value:     accuracy, the share of them that is taken for it; AP with many labels; nan without videos
    precision: of the videos taken for it, the share that shows it; nan where none is, and with many labels
    wrong, wrong_count: index of the class that its videos are most often wrongly taken for (of equal counts the lower),
               and how many; None and 0 where no video is, and with many labels
    """

    index: int
    name: str
    videos: int
    value: float
    precision: float = float("nan")
    wrong: int | None = None
    wrong_count: int = 0


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> VideoConfusion:
    """labels: (V,) true class index; predicted: (V,) the same or NOTHING; names: of the C classes."""
    classes, seen = len(names), predicted != NOTHING
    cells = np.bincount(labels[seen] * classes + predicted[seen], minlength=classes * classes)
    return VideoConfusion(
        tuple(names),
        cells.reshape(classes, classes).astype(np.int64),
        np.bincount(labels[~seen], minlength=classes).astype(np.int64),
    )


def confused_pairs(confusion: VideoConfusion, *, most: int) -> list[ConfusedPair]:
    """The `most` pairs with most videos; of equal counts the one with the larger share, then the lower indices."""
    wrong = confusion.counts.copy()
    np.fill_diagonal(wrong, 0)
    true, predicted = np.nonzero(wrong)
    count, share = wrong[true, predicted], wrong[true, predicted] / confusion.videos[true]
    order = np.lexsort((predicted, true, -share, -count))[:most]
    return [ConfusedPair(int(true[k]), int(predicted[k]), int(count[k]), float(share[k])) for k in order]


def class_rows(confusion: VideoConfusion) -> list[ClassRow]:
    """A row per class, in index order."""
    right, videos = np.diag(confusion.counts), confusion.videos
    taken = confusion.counts.sum(axis=0)
    accuracy, precision = _ratio(right, videos), _ratio(right, taken)
    wrong = confusion.counts.copy()
    np.fill_diagonal(wrong, 0)
    worst = wrong.argmax(axis=1)
    return [
        ClassRow(
            index=k,
            name=name,
            videos=int(videos[k]),
            value=float(accuracy[k]),
            precision=float(precision[k]),
            wrong=int(worst[k]) if wrong[k, worst[k]] else None,
            wrong_count=int(wrong[k, worst[k]]),
        )
        for k, name in enumerate(confusion.names)
    ]


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def write_class_table(rows: Sequence[ClassRow], path: str | Path, *, multi_label: bool) -> None:
    """per_class.csv: a line per class under a head; fractions with six digits, empty where there is no number."""
    with open_whole(path) as file:
        table = csv.writer(file, lineterminator="\n")
        if multi_label:
            table.writerow(["index", "class", "videos", "AP"])
            table.writerows([row.index, row.name, row.videos, _cell(row.value)] for row in rows)
            return
        table.writerow(["index", "class", "videos", "accuracy", "precision", "most_frequent_wrong", "wrong_videos"])
        for row in rows:
            wrong = "" if row.wrong is None else rows[row.wrong].name
            table.writerow(
                [row.index, row.name, row.videos, _cell(row.value), _cell(row.precision), wrong, row.wrong_count]
            )


def write_matrix(confusion: VideoConfusion, path: str | Path) -> None:
    """confusion.csv: all of the matrix with its names, a line per true class, and what had no views as the last column."""
    with open_whole(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["true \\ predicted", *confusion.names, "(no views)"])
        for name, row, unseen in zip(confusion.names, confusion.counts, confusion.unseen, strict=True):
            table.writerow([name, *row.tolist(), int(unseen)])


def _cell(value: float) -> str:
    return f"{value:.6f}" if np.isfinite(value) else ""
