"""Run the fast tests under several versions of what is needed, each in an environment that is removed afterwards.

python tools/test_matrix.py                                          the lowest of every dependency, and the newest
python tools/test_matrix.py --torch 2.6.0 --torch newest tests/unit  these versions of torch, these tests
python tools/test_matrix.py --here                                   this environment as it is, under the name "here"
python tools/test_matrix.py --dry-run                                only print the commands

The record, docs/tested_versions.json, has the last run of each name; INSTALL.md shows it, and a test compares the two.
Without paths the tests are those of `make test-fast`. Each environment takes about 5 GB and some minutes to install.
Exit code 0 when every version passed, 1 when one did not.
"""

import argparse
import contextlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from slowfast.utils.files import write_text  # noqa: E402

LOWEST, OLDEST, NEWEST = "lowest", "2.6.0", "newest"
RECORD = ROOT / "docs/tested_versions.json"
# In INSTALL.md; the record has all that the package needs.
SHOWN = ("python", "torch", "torchvision", "av", "opencv-python-headless", "numpy", "pandas", "scipy", "matplotlib")
BYTES_NEEDED = 8 * 10**9
VISION_AHEAD = 15  # torchvision 0.21 belongs to torch 2.6, 0.22 to 2.7, ...
Run = Callable[[Sequence[str]], subprocess.CompletedProcess]


@dataclass(frozen=True)
class Row:
    """What became of one version. torch: as it was asked for; stage: how far it came; counts: by pytest's words;
    date: of the run."""

    torch: str
    stage: str
    passed: bool
    installed: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    last_lines: tuple[str, ...] = ()
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%d", time.gmtime()))


def floors() -> list[str]:
    """Every dependency of pyproject.toml at the lowest version that it allows: ["torch==2.6", ...]."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = text.split("dependencies = [", 1)[1].split("]", 1)[0]
    return [f"{name}=={version}" for name, version in re.findall(r'"([A-Za-z0-9._-]+)>=([^",]+)"', block)]


def ask() -> str:
    """Python code that prints the versions of everything in `floors`, and Python's."""
    names = [one.partition("==")[0] for one in floors()]
    return (
        "import importlib.metadata as m, json, platform; print(json.dumps({'python': platform.python_version()} | "
        f"{{n: m.version(n) for n in {names}}}))"
    )


def requirements(torch: str) -> list[str]:
    """What pip is asked for: torch with the torchvision that was released with it. Raises ValueError for no version."""
    if torch == LOWEST:
        return floors()
    if torch == NEWEST:
        return ["torch", "torchvision"]
    match = re.fullmatch(r"2\.(\d+)\.(\d+)", torch)
    if match is None:
        raise ValueError(
            f"--torch {torch} is no version; write 2.6.0, {LOWEST} for the lowest of everything, or {NEWEST} for what pip gives "
            "today"
        )
    minor, patch = match.groups()
    return [f"torch=={torch}", f"torchvision==0.{int(minor) + VISION_AHEAD}.{patch}"]


def fast_tests() -> list[str]:
    """What `make test-fast` gives to pytest. Raises ValueError where make does not tell."""
    done = subprocess.run(
        ["make", "-C", str(ROOT), "-n", "test-fast", f"PYTHON={sys.executable}"], capture_output=True, text=True
    )
    for line in done.stdout.splitlines():
        words = shlex.split(line, comments=True)
        if done.returncode == 0 and "pytest" in words:
            return words[words.index("pytest") + 1 :]
    raise ValueError("the Makefile does not tell what test-fast runs; name the tests, such as tests/unit")


def commands(torch: str, folder: Path, tests: Sequence[str]) -> dict[str, list[str]]:
    """By stage, in order. folder: where the environment goes."""
    python = str(folder / "bin/python")
    pip = [python, "-m", "pip", "install", "--quiet"]
    return {
        "venv": [sys.executable, "-m", "venv", str(folder)],
        "torch": [*pip, *requirements(torch)],
        # requirements again, so that no other dependency moves torch away from the version that is tested
        "package": [*pip, "--editable", f"{ROOT}[test]", *requirements(torch)],
        "versions": [python, "-c", ask()],
        "tests": [python, "-m", "pytest", "-q", *tests],
    }


def commands_here(tests: Sequence[str]) -> dict[str, list[str]]:
    """By stage, for the environment that runs this; nothing is installed."""
    return {"versions": [sys.executable, "-c", ask()], "tests": [sys.executable, "-m", "pytest", "-q", *tests]}


def run_here(command: Sequence[str]) -> subprocess.CompletedProcess:
    print(f"$ {shlex.join(command)}", flush=True)
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def try_version(torch: str, folder: Path | None, tests: Sequence[str], run: Run = run_here) -> Row:
    """Make the environment and run the tests in it; stops at the first stage that fails. folder: None for this one."""
    start, stage, output, code = time.perf_counter(), "", "", 0
    installed: dict[str, str] = {}
    stages = commands_here(tests) if folder is None else commands(torch, folder, tests)
    for stage, command in stages.items():
        done = run(command)
        output, code = done.stdout, done.returncode
        if stage == "versions" and code == 0:
            installed = json.loads(output.splitlines()[-1])
        if code:
            break
    lines = output.strip().splitlines()
    counts = counted(lines[-1]) if stage == "tests" and lines else {}
    passed = stage == "tests" and code == 0
    shown = () if passed else tuple(lines[-30:])
    return Row(torch, stage, passed, installed, counts, round(time.perf_counter() - start, 1), shown)


def counted(line: str) -> dict[str, int]:
    """Counts of pytest's last line: "3 failed, 12 passed, 1 skipped in 4.5s" -> {"failed": 3, ...}."""
    return {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|skipped|errors?|deselected)", line)}


def table(rows: Sequence[Row]) -> str:
    cells: list[tuple[str, ...]] = [("asked for", "python", "torch", "torchvision", "result", "minutes")]
    for row in rows:
        counts = ", ".join(f"{count} {word}" for word, count in row.counts.items())
        result = f"{'ok' if row.passed else f'FAILED at {row.stage}'}{': ' if counts else ''}{counts}"
        versions = (row.installed.get(name, "-") for name in ("python", "torch", "torchvision"))
        cells.append((row.torch, *versions, result, f"{row.seconds / 60:.1f}"))
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def markdown(rows: Sequence[dict]) -> str:
    """The table of INSTALL.md, from the rows of the record."""
    lines = ["| run | date | " + " | ".join(SHOWN) + " | tests |", "|---|---|" + "---|" * (len(SHOWN) + 1)]
    for row in rows:
        counts = ", ".join(f"{count} {word}" for word, count in row["counts"].items() if word != "deselected")
        versions = " | ".join(row["installed"].get(name, "-") for name in SHOWN)
        lines.append(f"| {row['torch']} | {row['date']} | {versions} | {'' if row['passed'] else 'FAILED: '}{counts} |")
    return "\n".join(lines)


def recorded(rows: Sequence[Row], path: Path) -> list[dict]:
    """The rows, and those of other names that the file at `path` has already."""
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    names = {row.torch for row in rows}
    return [row for row in earlier if row["torch"] not in names] + [asdict(row) for row in rows]


@contextlib.contextmanager
def place(torch: str, keep: Path | None) -> Iterator[Path]:
    """A folder for one environment, which goes when its tests are done, unless it is to be kept."""
    if keep is not None:
        yield keep / f"torch-{torch}"
        return
    with tempfile.TemporaryDirectory(prefix="test_matrix_") as folder:
        yield Path(folder) / f"torch-{torch}"


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tests", nargs="*", metavar="PATH", help="tests to run (default: those of make test-fast)")
    parser.add_argument(
        "--torch",
        action="append",
        metavar="VERSION",
        help=f"a version, {LOWEST} or {NEWEST} (default: {LOWEST} and {NEWEST})",
    )
    parser.add_argument(
        "--here", nargs="?", const="here", metavar="NAME", help="this environment as it is, recorded under this name"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the environments here and leave them")
    parser.add_argument("--json", type=Path, default=RECORD, metavar="FILE", help=f"the record (default {RECORD.name})")
    parser.add_argument("--dry-run", action="store_true", help="print the commands and do nothing")
    return parser


def main(argv: Sequence[str]) -> int:
    options = build_parser().parse_args(argv)
    versions = options.torch or ([] if options.here else [LOWEST, NEWEST])
    try:
        tests = options.tests or fast_tests()
        for torch in versions:
            requirements(torch)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.dry_run:
        if options.here:
            print("\n".join(shlex.join(command) for command in commands_here(tests).values()))
        for torch in versions:
            folder = (options.keep or Path("TEMPORARY")) / f"torch-{torch}"
            print("\n".join(shlex.join(command) for command in commands(torch, folder, tests).values()))
        return 0
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        options.keep = options.keep.resolve()  # the commands run in the folder of the repository
    free = shutil.disk_usage(options.keep or tempfile.gettempdir()).free
    if versions and free < BYTES_NEEDED:
        print(
            f"error: {free / 1e9:.1f} GB are free and an environment takes 5 GB; --keep DIR elsewhere", file=sys.stderr
        )
        return 2
    rows = [try_version(options.here, None, tests)] if options.here else []
    print("\n".join(line for row in rows for line in row.last_lines))
    for torch in versions:
        with place(torch, options.keep) as folder:
            rows.append(try_version(torch, folder, tests))
        print("\n".join(rows[-1].last_lines))
    print(table(rows))
    record = recorded(rows, options.json)
    write_text(json.dumps(record, indent=2) + "\n", options.json)
    print(f"\nINSTALL.md:\n{markdown(record)}")
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
