"""Tell of each checkpoint whether it is whole and finite, and from which one a run would go on.

bmvit verify-checkpoint runs/bmvit
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from slowfast.weights.checkpoint import Checkpointer, Position, read_checkpoint
from slowfast.weights.parts import SUFFIX, is_in_parts
from slowfast.weights.seal import DamagedFileError, digest_of


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="FOLDER|FILE", help="checkpoints, or folders of them, or of runs"
    )
    damaged = 0
    for given in parser.parse_args(argv).paths:
        given = given / "checkpoints" if (given / "checkpoints").is_dir() else given
        many = given.is_dir() and not is_in_parts(given)
        files = sorted([*given.glob("*.pyth"), *given.glob(f"*{SUFFIX}")]) if many else [given]
        if not files or not files[0].exists():
            print(
                f"error: {given} {'holds no checkpoint, .pyth or .distcp' if many else 'does not exist'}",
                file=sys.stderr,
            )
            return 1
        whole = {path: _tell(path) for path in files}
        damaged += list(whole.values()).count(False)
        if many:
            usable = [path for path in Checkpointer(given).saved() if whole[path]]
            print(f"{given}: a run would go on from {usable[-1].name if usable else 'none of them'}")
    return 1 if damaged else 0


def _tell(path: Path) -> bool:
    """A line about a file; whether it can be used."""
    try:
        content = read_checkpoint(path)
        sealed = "its checksum is right"
        if path.is_dir():
            sealed = f"the checksums of its {len(list(path.iterdir()))} files are right"
        elif not digest_of(path):
            sealed = "it has no checksum of its own; those of zip are right"
    except DamagedFileError as error:
        print(f"{path.name}: NOT usable, {error}")
        return False
    at = content.get("epoch")
    where = f"after {Position(at, content.get('step', 0))}, " if isinstance(at, int) else ""
    print(f"{path.name}: {where}whole and finite, {sealed}")
    return True
