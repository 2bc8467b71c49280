"""Turn a checkpoint in parts into one file, or one file into parts, with all that a run needs to go on.

bmvit convert-checkpoint checkpoint_epoch_00012.distcp checkpoint_epoch_00012.pyth
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from slowfast.weights.checkpoint import read_checkpoint, write_atomically
from slowfast.weights.parts import SUFFIX, write_parts
from slowfast.weights.seal import DamagedFileError


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument(
        "source", type=Path, metavar="IN", help="a checkpoint of a run: a folder .distcp or a file .pyth"
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="what to write, .pyth or .distcp; must not be there")
    args = parser.parse_args(argv)
    try:
        convert(args.source, args.out)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"wrote {args.out}")
    return 0


def convert(source: Path, out: Path) -> None:
    """The same state, in the form that the ending of `out` tells. Raises ValueError or OSError, and then writes nothing."""
    if out.suffix not in (SUFFIX, ".pyth"):
        raise ValueError(f"OUT {out} must end in .pyth (one file) or {SUFFIX} (a folder of parts)")
    if out.exists():
        raise ValueError(f"OUT {out} exists already; choose another name")
    if not source.exists():
        raise ValueError(f"IN {source} does not exist")
    try:
        content = read_checkpoint(source)
    except DamagedFileError as error:
        raise ValueError(
            f"IN {source} cannot be used: {error}; tools/verify_checkpoint.py looks for another one"
        ) from error
    if out.suffix == SUFFIX:
        write_parts(content, out)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(content, out)
