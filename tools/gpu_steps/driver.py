"""Runs the steps of tools/gpu_check.py one after the other, each with a limit, and writes what they found.

Nothing here imports torch: a broken installation fails in the first step, with a log, and not here.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.rows import Row, write_markdown
from gpu_steps.packages import unpack_missing
from gpu_steps.plan import STEPS, Step, choose

from slowfast.utils.files import write_text

TOOLS = Path(__file__).resolve().parents[1]
ROOT = TOOLS.parent
PASSED, FAILED, ENDED, LEFT_OUT = "passed", "failed", "stopped at its limit", "not run, no time left"
_KEPT_BACK = 2.0  # seconds at the end, for the table
_CPU_PATIENCE = 16  # a step's limit is a GPU's: a CPU that others use, too, is given so many times as long


@dataclass(frozen=True)
class Result:
    """What became of a step. rows, faults and values: as its `Report` had them when it ended."""

    step: str
    state: str
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)


def parse(argv: Sequence[str], description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--minutes", type=float, default=9.0, help="for all steps together (default 9)")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that the steps run, no speeds")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="wheels of what the machine lacks")
    parser.add_argument("--data", type=Path, metavar="DIR", help="JHMDB-21, as JHMDB.ANNOTATION_DIR, to train on")
    names = ", ".join(step.name for step in STEPS)
    parser.add_argument("--only", nargs="+", metavar="STEP", help=f"some of: {names}")
    args = parser.parse_args(argv)
    if not args.minutes > 0:
        parser.error(f"--minutes must be above 0, got {args.minutes:g}")
    if args.data is not None and not args.data.is_dir():
        parser.error(f"--data {args.data}: no such folder")
    try:
        args.steps = choose(args.only)
        args.packages = args.out / "packages"
        args.unpacked = unpack_missing(args.wheels, args.packages) if args.wheels else []
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return args


def main(argv: Sequence[str], *, description: str | None = None, clock: Callable[[], float] = time.monotonic) -> int:
    """Run the steps; 0 where all passed. clock: seconds, for tests."""
    args = parse(argv, description)
    start, results, spare = clock(), [], 0.0
    end = start + 60 * args.minutes - _KEPT_BACK
    args.out.mkdir(parents=True, exist_ok=True)
    if args.unpacked:
        print(f"unpacked, because they are not installed: {', '.join(args.unpacked)}")
    for number, step in enumerate(args.steps, start=1):
        print(f"[{number}/{len(args.steps)}] {step.name}: {step.what}", flush=True)
        result = _run(step, args, step.limit + spare, end - clock())
        spare = max(0.0, spare + step.limit - result.seconds)
        results.append(result)
        print("\n".join([f"    {result.state}, {result.seconds:.0f} s", *(f"    {text}" for text in result.faults)]))
        write_text(json.dumps(asdict(result), indent=1) + "\n", args.out / f"{step.name}.json")
        write_markdown(_table(results), _heading(results, args), args.out / "table.md")
    print(f"\n{(args.out / 'table.md').read_text(encoding='utf-8')}")
    print(last_line(results, clock() - start))
    return int(any(result.state != PASSED for result in results))


def last_line(results: Sequence[Result], seconds: float) -> str:
    """ "11 of 13 steps passed in 8.2 minutes; failed: a; not run, no time left: b"."""
    passed = sum(result.state == PASSED for result in results)
    line = f"{passed} of {len(results)} steps passed in {seconds / 60:.1f} minutes"
    for state in (FAILED, ENDED, LEFT_OUT):
        names = [result.step for result in results if result.state == state]
        line += f"; {state}: {', '.join(names)}" if names else ""
    return line


def _run(step: Step, args: argparse.Namespace, limit: float, left: float) -> Result:
    """The step in a process of its own, which is ended with all that it started where its time is over.

    limit: its seconds, with those that earlier steps did not need; left: of all
    """
    path, log = args.out / f"{step.name}.json", args.out / f"{step.name}.log"
    for old in (path, log):
        old.unlink(missing_ok=True)
    if left < min(step.least, step.limit):
        return Result(step.name, LEFT_OUT)
    command = [sys.executable, str(TOOLS / "gpu_steps/one_step.py"), step.name, str(path.resolve())]
    command += ["--device", args.device, "--folder", str((args.out / step.name).resolve())]
    command += ["--tiny"] * args.tiny + (["--data", str(args.data.resolve())] if args.data else [])
    begun = time.monotonic()
    with log.open("a", encoding="utf-8") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=_environment(args), stdout=output, stderr=subprocess.STDOUT,
                                   start_new_session=True)  # fmt: skip
        try:
            patience = _CPU_PATIENCE if args.device == "cpu" else 1
            code: int | None = process.wait(timeout=min(limit * patience, left))
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return _result(step, path, log, code, time.monotonic() - begun)


def _result(step: Step, path: Path, log: Path, code: int | None, seconds: float) -> Result:
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    rows, faults = [Row(**row) for row in found.get("rows", ())], list(found.get("faults", ()))
    state = ENDED if code is None else PASSED if code == 0 and found.get("ended") and not faults else FAILED
    if state == FAILED and not faults:  # it could not even start, or was killed
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        faults.append(f"exit code {code}; {lines[-1] if lines else 'nothing was printed'}")
    if state == ENDED:
        faults.append(f"stopped after {seconds:.0f} s; what it had found until then is kept")
    return Result(step.name, state, seconds, rows, faults, found.get("values", {}))


def _environment(args: argparse.Namespace) -> dict[str, str]:
    """Of the steps: the project is found first, packages out of wheels after it."""
    places = [ROOT, TOOLS, *([args.packages.resolve()] if args.unpacked else [])]
    before = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([*map(str, places), *([before] if before else [])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def _heading(results: Sequence[Result], args: argparse.Namespace) -> str:
    """What machine it was, and what became of each step."""
    machine = next((str(result.values["machine"]) for result in results if "machine" in result.values), args.device)
    date = time.strftime("%Y-%m-%d", time.gmtime())
    sizes = "; tiny sizes, so no number says anything about speed" if args.tiny else ""
    steps = [f"- {one.step}: {one.state}, {one.seconds:.0f} s" for one in results]
    faults = [f"  - {text}" for one in results for text in one.faults]
    return "\n".join([f"{machine}, {date}{sizes}", "", *steps, *(["", "Faults:", *faults] if faults else [])])


def _table(results: Sequence[Result]) -> list[Row]:
    """A row has one line, and no bar that would end its cell."""
    rows = [row for result in results for row in result.rows]
    return [Row(**{name: " ".join(text.split()).replace("|", "/") for name, text in vars(row).items()}) for row in rows]
