"""Recompute accuracies, or the mAP of many labels, from the scores that a classification test has dumped.

bmvit evaluate-scores scores.npz --json result.json

Exit code 0 on success, 2 when an input is wrong (the message says which and what).
"""

import argparse
import json
import sys
from collections.abc import Sequence

from slowfast.evaluation.videos.scores import read_scores
from slowfast.utils.files import write_text


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument("file", metavar="FILE", help="scores.npz of a classification test")
    parser.add_argument("--json", metavar="FILE", help="write the result here as well")
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    options = build_parser(prog).parse_args(argv)
    try:
        scores = read_scores(options.file)
        text, report = scores.table(), scores.report()
        if options.json:
            write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", options.json)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0
