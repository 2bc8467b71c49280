"""All GPU rows of docs/PERFORMANCE.md in one run, as a table in a file."""

import gc
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch
from bench import classifiers, layers
from bench.detector import Setup, infer, matcher, memory, train
from bench.rows import Row, root_cause, write_markdown

BATCH = 16
LENGTHS, SIZES = (8, 16, 32, 64), (224, 320, 448)


def benchmarks(setup: Setup, *, repeats: int) -> dict[str, Callable[[], Iterable[Row]]]:
    """What there is to run, by name."""
    device, many = torch.device(setup.device), replace(setup, clips=BATCH)
    one = replace(setup, clips=1)
    return {
        "model": lambda: classifiers.main("model", clips=BATCH, repeats=repeats, device=device),
        "train": lambda: train(many, repeats=repeats),
        "infer, batch 1": lambda: infer(one, repeats=repeats),
        "infer, batch 16": lambda: infer(many, repeats=repeats),
        "matcher": lambda: matcher(many, repeats=repeats),
        "memory by length": lambda: memory(one, frames=list(LENGTHS), sizes=[SIZES[0]]),
        "memory by size": lambda: memory(one, frames=[LENGTHS[1]], sizes=list(SIZES)),
        "attention": lambda: layers.attention(setup.cfg, clips=BATCH, repeats=repeats, device=device),
        "pooling": lambda: layers.pooling(setup.cfg, clips=BATCH, repeats=repeats, device=device),
    }


def choose(
    named: dict[str, Callable[[], Iterable[Row]]], only: list[str] | None
) -> dict[str, Callable[[], Iterable[Row]]]:
    """Those whose names begin with one of `only`; all without it. Raises ValueError for a word that none begins with."""
    for word in only or ():
        if not any(name.startswith(word) for name in named):
            raise ValueError(f"--only {word}: there is no such part; parts: {', '.join(named)}")
    return {name: run for name, run in named.items() if not only or name.startswith(tuple(only))}


def main(named: dict[str, Callable[[], Iterable[Row]]], *, heading: str, out: Path) -> int:
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
