"""Score a detections CSV against an AVA ground-truth CSV: frame-mAP, per class, with the protocol beside the number.

bmvit evaluate-ava --groundtruth GT.csv --detections DET.csv --labelmap LABELS.pbtxt --exclusions EXCLUDED.csv

Exit code 0 on success, 2 when an input is wrong (the message says which and where).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from slowfast.evaluation.frames.frame_map import KEY_FRAME_SETS, PROTOCOLS, frame_map
from slowfast.structures.annotations.label_map import read_label_map
from slowfast.utils.ava.tables import read_detections_csv, read_exclusions_csv, read_groundtruth_csv
from slowfast.utils.files import write_text


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument(
        "--groundtruth", required=True, metavar="CSV", help="annotations, official AVA format (.csv.gz too)"
    )
    parser.add_argument("--detections", required=True, metavar="CSV", help="detections: annotation columns and a score")
    parser.add_argument("--labelmap", required=True, metavar="PBTXT", help="classes to evaluate")
    parser.add_argument("--exclusions", metavar="CSV", help="key frames (video,timestamp) that are not scored")
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, default="official", help="official: the 50 best rows of a key frame"
    )
    parser.add_argument(
        "--key-frames", choices=KEY_FRAME_SETS, default="all_included", help="gt_only: only key frames with a person"
    )
    parser.add_argument("--json", metavar="FILE", help="write the result here as well")
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    options = build_parser(prog).parse_args(argv)
    try:
        _refuse_one_file(options.groundtruth, options.detections)
        result = frame_map(
            read_groundtruth_csv(options.groundtruth),
            read_detections_csv(options.detections),
            read_label_map(options.labelmap),
            protocol=options.protocol,
            key_frames=options.key_frames,
            exclusions=read_exclusions_csv(options.exclusions) if options.exclusions else (),
        )
        if options.json:
            write_text(json.dumps(result.report(), indent=1, allow_nan=False) + "\n", options.json)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(result.table())
    return 0


def _refuse_one_file(groundtruth: str, detections: str) -> None:
    """Person ids of 0 and 1 pass as scores, and ground truth scores 1.0 against itself."""
    if Path(groundtruth).exists() and Path(detections).exists() and Path(groundtruth).samefile(detections):
        raise ValueError(f"--groundtruth and --detections are one file, {groundtruth}; give the detections of a model")
