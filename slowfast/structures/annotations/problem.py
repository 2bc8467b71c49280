"""Problem: something wrong in a file of a user. Readers raise the first, or collect all in a list that they are given."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """file: its path; line: from 1, 0 for the file as a whole; reason: value and rule; kind: a word to sort by."""

    file: str
    line: int
    reason: str
    kind: str = "row"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}" if self.line else f"{self.file}: {self.reason}"


def raise_or_collect(problem: Problem, problems: list[Problem] | None) -> None:
    """Add the problem to the list, or raise it as a ValueError where there is no list."""
    if problems is None:
        raise ValueError(str(problem))
    problems.append(problem)
