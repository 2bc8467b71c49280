"""Recompute accuracies, or the mAP of many labels, from the scores that a classification test has dumped.

bmvit evaluate-scores scores.npz --json result.json
bmvit evaluate-scores scores.json --per-class --confused 20

FILE: .npz, or .json as mmaction2's DumpResults (docs/EVALUATION.md); both give the same numbers.

Exit code 0 on success, 2 when an input is wrong (the message says which and what).
"""

import argparse
import json
import sys
from collections.abc import Sequence

from slowfast.evaluation.videos.score_files import read_scores
from slowfast.evaluation.videos.scores import VideoScores
from slowfast.evaluation.videos.tables import class_table, confused_table
from slowfast.utils.files import write_text


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument("file", metavar="FILE", help="scores of a classification test, .npz or .json")
    parser.add_argument("--json", metavar="FILE", help="write the result here as well")
    parser.add_argument("--per-class", action="store_true", help="print a line per class, the best first")
    parser.add_argument("--confused", type=int, metavar="N", help="print the N pairs of classes most often confused")
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    options = build_parser(prog).parse_args(argv)
    try:
        scores = read_scores(options.file)
        text, report = _text(scores, options), scores.report()
        if options.json:
            write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", options.json)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0


def _text(scores: VideoScores, options: argparse.Namespace) -> str:
    """The result, and the tables that were asked for. Raises ValueError for a number of pairs that is none."""
    parts = [scores.table()]
    if options.per_class:
        parts.append(class_table(scores))
    if options.confused is not None:
        if options.confused < 1:
            raise ValueError(f"--confused ({options.confused}) must be at least 1")
        parts.append(confused_table(scores, options.confused))
    return "\n\n".join(parts)
