"""Results of benchmarks as the rows of one table."""

import gc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

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


def choose(
    named: dict[str, Callable[[], Iterable[Row]]], only: list[str] | None
) -> dict[str, Callable[[], Iterable[Row]]]:
    """Those whose names begin with one of `only`; all without it. Raises ValueError for a word that none begins with."""
    for word in only or ():
        if not any(name.startswith(word) for name in named):
            raise ValueError(f"--only {word}: there is no such part; parts: {', '.join(named)}")
    return {name: run for name, run in named.items() if not only or name.startswith(tuple(only))}


def run_all(named: dict[str, Callable[[], Iterable[Row]]], *, heading: str, out: Path) -> int:
    """Run all of `named` and write the table after each, so that a failure loses nothing; returns how many failed."""
    rows: list[Row] = []
    failed = 0
    for name, run in named.items():
        print(f"\n== {name}", flush=True)
        try:
            rows += run()
        except Exception as error:  # one that fails must not keep the others from running: its row says why
            failed += 1
            print(f"failed: {type(error).__name__}: {error}", flush=True)
            rows.append(Row(name, "failed", "", root_cause(error)))
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        write_markdown(rows, heading, out)
    print(f"\nwrote {out}" + f", {failed} failed" * bool(failed))
    return failed
