"""Make the toy Kinetics set: bmvit make-toy-kinetics --out DIR [--videos N] [--seconds S] [--seed K] [--classes NAME ...]"""

import argparse
import sys
from collections.abc import Sequence

from slowfast.toy.move_videos import make_toy_kinetics
from slowfast.toy.moves import MOVES
from slowfast.utils.missing import MissingPackageError


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("--out", required=True, help="folder to make, to finish, or to reuse")
    parser.add_argument(
        "--videos",
        type=int,
        default=960,
        help="number of videos, a multiple of that of the classes; a fifth is held out (default 960)",
    )
    parser.add_argument("--seconds", type=int, default=2, help="length of each video (default 2)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same data set (default 0)")
    parser.add_argument("--classes", nargs="+", default=list(MOVES), metavar="NAME", help=f"default: {' '.join(MOVES)}")
    parser.add_argument("--workers", type=int, default=None, help="processes; 0 for none (default: the cores at hand)")
    args = parser.parse_args(argv)
    try:
        report = make_toy_kinetics(
            args.out,
            videos=args.videos,
            seconds=args.seconds,
            seed=args.seed,
            classes=args.classes,
            num_workers=args.workers,
        )
    except (ValueError, OSError, MissingPackageError) as error:
        print(f"make_toy_kinetics: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make_toy_kinetics: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    print(report)
    return 0
