"""Results of a benchmark as the rows of one table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slowfast.utils.files import write_text


@dataclass(frozen=True)
class Row:
    """One result in words and numbers. goal: what issue or paper asks for, "" where nothing is."""

    what: str
    ours: str
    against: str
    ratio: str
    goal: str = ""


HEADER = Row("what", "ours", "against", "ratio", "goal")


def root_cause(error: BaseException) -> str:
    """What went wrong in the first place, short enough for a table; compilers wrap it in much else."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join([f"{type(error).__name__}:", *str(error).strip().splitlines()[:1]])[:160].replace("|", "/")


def write_markdown(rows: Sequence[Row], heading: str, path: Path) -> None:
    """`heading`, then the rows as a markdown table."""
    lines = [f"| {row.what} | {row.ours} | {row.against} | {row.ratio} | {row.goal} |" for row in (HEADER, *rows)]
    lines.insert(1, "|---|---:|---:|---:|---:|")
    write_text("\n".join([heading, "", *lines, ""]), path)
