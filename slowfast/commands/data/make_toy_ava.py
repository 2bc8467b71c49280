"""Make the toy AVA set: bmvit make-toy-ava --out DIR [--videos N] [--seconds S] [--seed K] [--workers W] [--frames]"""

import argparse
import sys
from collections.abc import Sequence

from slowfast.toy.data_set import make_toy_ava
from slowfast.utils.missing import MissingPackageError


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("--out", required=True, help="folder to make, to finish, or to reuse")
    parser.add_argument(
        "--videos", type=int, default=120, help="number of videos; every eighth is held out (default 120)"
    )
    parser.add_argument(
        "--seconds", type=int, default=8, help="length of each video, even; half as many key frames (default 8)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same data set (default 0)")
    parser.add_argument("--workers", type=int, default=None, help="processes; 0 for none (default: the cores at hand)")
    parser.add_argument("--frames", action="store_true", help="folders of images (AVA.PIXELS frames), and no videos")
    args = parser.parse_args(argv)
    try:
        report = make_toy_ava(
            args.out,
            videos=args.videos,
            seconds=args.seconds,
            seed=args.seed,
            num_workers=args.workers,
            frames=args.frames,
        )
    except (ValueError, OSError, MissingPackageError) as error:
        print(f"make_toy_ava: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make_toy_ava: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    print(report)
    return 0
