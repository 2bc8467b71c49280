"""Write the report of a tested run: one HTML page that needs nothing beside it, and its plots as PNG.

bmvit report runs/toy
bmvit report runs/toy --compare runs/other --out page.html
bmvit report runs/toy AVA.VIDEO_DIR /elsewhere/videos
bmvit report runs/kinetics DATA.PATH_PREFIX /elsewhere/videos

Exit code 0 on success, 2 when an input is wrong (the message says which and where).
"""

import argparse
import sys
from collections.abc import Sequence

from slowfast.tasks.tested_run import read_tested_run, write_report


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN_DIR", help="OUTPUT_DIR of a run that was tested")
    parser.add_argument("--compare", metavar="OTHER_RUN", help="another run on the same data, shown beside it")
    parser.add_argument("--out", metavar="FILE", help="the page (default: RUN_DIR/report.html)")
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY VALUE", help="keys that changed since the run, such as paths"
    )
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    options = build_parser(prog).parse_intermixed_args(argv)
    try:
        run = read_tested_run(options.run, options.overrides)
        compare = read_tested_run(options.compare, options.overrides) if options.compare else None
        print(write_report(run, options.out, compare=compare))
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
