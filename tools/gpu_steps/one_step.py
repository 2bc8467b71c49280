"""One step of tools/gpu_check.py in this process: one_step.py NAME RESULT.json --device D --folder F [--tiny] [--data D]"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from bench.rows import Row, root_cause  # noqa: E402
from gpu_steps.plan import choose  # noqa: E402
from gpu_steps.report import Options, Report  # noqa: E402


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("result", type=Path)
    parser.add_argument("--device", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--data", type=Path)
    args = parser.parse_args(argv)
    (step,) = choose([args.name])
    report = Report(args.result)
    report.save()
    options = Options(args.device, args.tiny, args.folder, args.data)
    try:
        getattr(import_module(f"gpu_steps.{step.module}"), step.name)(options, report)
    except Exception as error:
        report.row(Row(step.name, "failed", "", root_cause(error)))
        report.fault(f"{type(error).__name__}: {error}")
        raise  # the log has where
    report.end()
    return int(bool(report.faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
