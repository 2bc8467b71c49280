"""Install this package and what it needs into the running Python, or do nothing when it is all there already."""

import argparse
import importlib.metadata
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME = "bmvit"
EVERY = 20.0  # seconds between two signs of life


def is_satisfied(extra: str | None) -> bool:
    """True when this checkout is installed in place and every requirement that its metadata names has a distribution."""
    try:
        distribution = importlib.metadata.distribution(NAME)
    except importlib.metadata.PackageNotFoundError:
        return False
    stamp = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    if f'version = "{distribution.version}"' not in stamp or ROOT.as_uri() not in (
        distribution.read_text("direct_url.json") or ""
    ):
        return False
    for requirement in distribution.requires or []:
        marker = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", requirement)
        if marker and marker.group(1) != extra:
            continue
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extra", help="group of optional dependencies to install too, such as test")
    args = parser.parse_args()
    if sys.version_info < (3, 10):
        print(
            f"error: Python 3.10 or newer is needed, this is {sys.version.split()[0]} ({sys.executable})",
            file=sys.stderr,
        )
        return 1
    if is_satisfied(args.extra):
        return 0
    target = f"{ROOT}[{args.extra}]" if args.extra else str(ROOT)
    quiet = [] if sys.stdout.isatty() else ["--quiet"]  # on a terminal pip shows its progress
    return told([sys.executable, "-m", "pip", "install", *quiet, "--editable", target], every=EVERY)


def told(command: Sequence[str], *, every: float) -> int:
    """Run pip; say when it starts, that it is still at work every so many seconds where it is quiet, and what came of it."""
    start = time.perf_counter()
    print(f"pip installs into {sys.prefix} (torch is large: a few minutes the first time)", flush=True)
    process = subprocess.Popen(command)
    while True:
        try:
            code = process.wait(timeout=every)
            break
        except subprocess.TimeoutExpired:
            if "--quiet" in command:
                print(f"pip is still at work ({time.perf_counter() - start:.0f} s)", flush=True)
    outcome = "is done" if code == 0 else f"failed with exit code {code}"
    print(f"pip {outcome} ({time.perf_counter() - start:.0f} s)", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
