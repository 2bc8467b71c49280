"""The numbers of classes and of confused pairs as text, in columns. Plain Python."""

from collections.abc import Sequence
from math import isfinite

from slowfast.evaluation.videos.confusion import ClassRow
from slowfast.evaluation.videos.scores import VideoScores


def class_table(scores: VideoScores) -> str:
    """A line per class, the best first; classes without videos last. Of one value the order of the classes."""
    rows = by_value(scores.classes)
    if scores.multi_label:
        return _columns(["class", "videos", "AP"], [[row.name, str(row.videos), _number(row.value)] for row in rows])
    names = scores.class_names
    return _columns(
        ["class", "videos", "accuracy", "precision", "most frequent wrong answer"],
        [
            [
                row.name,
                str(row.videos),
                _number(row.value),
                _number(row.precision),
                "-" if row.wrong is None else f"{names[row.wrong]} ({row.wrong_count})",
            ]
            for row in rows
        ],
    )


def confused_table(scores: VideoScores, most: int) -> str:
    """The `most` pairs with most videos. Raises ValueError with many labels."""
    pairs = scores.confused(most)
    if not pairs:
        return "no video is taken for another class"
    rows = [[str(p["true"]), str(p["predicted"]), str(p["count"]), f"{p['share']:.4f}"] for p in pairs]
    return _columns(["true class", "taken for", "videos", "share of the true class"], rows)


def by_value(rows: Sequence[ClassRow]) -> list[ClassRow]:
    """The best class first, those without videos last."""
    return sorted(rows, key=lambda row: (not isfinite(row.value), -row.value if isfinite(row.value) else 0, row.index))


def _number(value: float) -> str:
    return f"{value:.4f}" if isfinite(value) else "-"


def _columns(head: list[str], rows: list[list[str]]) -> str:
    """Words to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    right = [all(_is_number(row[i]) for row in rows) for i in range(len(head))]
    lines = (
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in (head, *rows)
    )
    return "\n".join(lines)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(".", "", 1).isdigit()
