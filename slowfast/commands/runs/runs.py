"""List runs: which are at work, which ended and how, and their last and best numbers.

bmvit runs [FOLDER ...] [--metric NAME] [--json]
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from slowfast.engine.record.listing import ListedRun, read_run, runs_below

_WIDEST_REASON = 60
HEADER = ("run", "state", "epoch", "loss", "metric", "last", "best", "at epoch", "why")


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")], metavar="FOLDER", help="default: runs")
    parser.add_argument("--metric", default="", metavar="NAME", help="a number of the evaluations, such as AP/stand")
    parser.add_argument("--json", action="store_true", help="a JSON object a line in place of the table")
    args = parser.parse_args(argv)
    missing = [folder for folder in args.folders if not folder.is_dir()]
    if missing:
        print(f"error: {missing[0]}: no such folder", file=sys.stderr)
        return 1
    found = [read_run(path, metric=args.metric) for folder in args.folders for path in runs_below(folder)]
    if args.json:
        print("".join(json.dumps(run.row()) + "\n" for run in found), end="")
    elif found:
        print(table(found))
    else:
        print(f"no run below {', '.join(map(str, args.folders))}: none of their folders holds a log.jsonl")
    return 0


def table(runs: Sequence[ListedRun]) -> str:
    """A line a run."""
    rows = [HEADER, *map(_cells, runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _cells(run: ListedRun) -> tuple[str, ...]:
    epoch = "-" if run.epoch is None else f"{run.epoch}/{run.epochs}" if run.epochs else str(run.epoch)
    numbers = [_shown(value) for value in (run.loss, run.last, run.best)]
    why = " ".join(run.reason.split())
    why = why if len(why) <= _WIDEST_REASON else why[: _WIDEST_REASON - 3] + "..."
    at = "-" if run.best_epoch is None else str(run.best_epoch)
    return (str(run.folder), run.state, epoch, numbers[0], run.metric or "-", numbers[1], numbers[2], at, why)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
