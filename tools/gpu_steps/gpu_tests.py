"""The tests that are marked `gpu`, each file in a process of its own, so that an illegal access ends one file only."""

import re
import subprocess
import sys
from pathlib import Path

from bench.rows import Row
from gpu_steps.report import Options, Report

ROOT = Path(__file__).resolve().parents[2]
_MARK = re.compile(r"^\s*(@|pytestmark\b.*)pytest\.mark\.gpu\b", re.MULTILINE)
_SECONDS = 25  # of a file: one that hangs must not take the time of the others
_COUNTS = re.compile(r"(\d+) (passed|failed|skipped|errors?|deselected)")


def tests(options: Options, report: Report) -> None:
    """A row and, where not all passed, a fault for each file; with --tiny the first file only."""
    files = marked_files(ROOT / "tests")
    if not files:
        raise FileNotFoundError(f"no file below {ROOT / 'tests'} has a test marked gpu")
    for file in files[:1] if options.tiny else files:
        on_gpu = options.device == "cuda"
        run_file(file, report, must_pass=on_gpu, seconds=_SECONDS if on_gpu else None)


def marked_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("test_*.py")) if _MARK.search(path.read_text(encoding="utf-8"))]


def run_file(file: Path, report: Report, *, must_pass: bool, seconds: float | None = None) -> None:
    """must_pass: a file where every test is skipped is a fault, too; seconds: after which it is ended, None for no limit."""
    name = file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else file.name
    options = ["-q", "-rfEs", "-m", "gpu", "-p", "no:cacheprovider", "-o", "addopts=", "--import-mode=importlib"]
    command = [sys.executable, "-m", "pytest", *options, str(file)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired as late:
        print(_text(late.stdout) + _text(late.stderr), flush=True)
        report.row(Row(name, f"stopped after {seconds:g} s", "", ""))
        report.fault(f"{name}: stopped after {seconds:g} s; {(_text(late.stdout).strip().splitlines() or [''])[-1]}")
        return
    print(done.stdout + done.stderr, flush=True)
    judge(name, done.returncode, done.stdout or done.stderr, report, must_pass=must_pass)


def _text(output: str | bytes | None) -> str:
    """What a process printed until it was ended, which subprocess gives in any of these types."""
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


def judge(name: str, code: int, printed: str, report: Report, *, must_pass: bool) -> None:
    """What pytest's exit code and its last lines say about a file."""
    lines = printed.strip().splitlines() or [""]
    counts = {what: int(number) for number, what in _COUNTS.findall(lines[-1])}
    report.value(name, counts)
    shown = ", ".join(f"{number} {what}" for what, number in counts.items() if what != "deselected")
    report.row(Row(name, shown or f"exit code {code}", "", ""))
    if code != 0:
        failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
        report.fault(f"{name}: exit code {code}; {'; '.join(failed) or lines[-1]}")
    elif must_pass and not counts.get("passed"):
        report.fault(f"{name}: no test ran ({lines[-1]})")
