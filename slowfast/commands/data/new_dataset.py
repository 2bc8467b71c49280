"""Write an example of a data set of one's own: films, a spreadsheet of boxes, CSVs, a label map and a config that trains.

bmvit new-dataset NAME

Exit code 1 where NAME is there already.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence

from slowfast.preparation.example import make_example
from slowfast.utils.missing import MissingPackageError


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", metavar="NAME", help="the folder to make")
    args = parser.parse_args(argv)
    try:
        folder = make_example(args.name)
    except (ValueError, OSError, MissingPackageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    config = shlex.quote(f"{folder}/config.yaml")
    print(f"{folder}: two films, boxes.csv, annotations and config.yaml; next: bmvit validate-data --cfg {config}")
    return 0
