"""Find people on the key frames of a data set with a person detector in an ONNX file: proposals for the two-stage baseline.

bmvit detect-people --detector person.onnx --cfg FILE --split test --out people.csv [--score 0.05] [KEY VALUE ...]

The CSV has PySlowFast's layout and goes into AVA.TRAIN_PREDICT_BOX_LISTS, or TEST_PREDICT_BOX_LISTS of AVA or JHMDB.
Exit code 0 on success, 1 when an input is wrong; nothing is overwritten.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from slowfast.config.cli import split_overrides
from slowfast.config.load import load_cfg
from slowfast.engine.device.launch import USER_ERRORS
from slowfast.inference.export.onnx_file import session_of
from slowfast.preparation.people.on_key_frames import people_on_key_frames
from slowfast.preparation.people.onnx_detector import LAYOUTS, OnnxPersonDetector
from slowfast.tasks.localization import Localization
from slowfast.utils.files import write_text

VALUES = ("--detector", "--cfg", "--split", "--out", "--score", "--person-class", "--step")


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--detector", required=True, metavar="FILE", help=f"ONNX file that gives {LAYOUTS}")
    parser.add_argument("--cfg", required=True, metavar="FILE", help="a config: its data are looked at")
    parser.add_argument("--split", choices=("train", "test"), default="test", help="of the data (default test)")
    parser.add_argument("--out", required=True, metavar="CSV", help="what to write")
    parser.add_argument("--score", type=float, default=0.05, help="boxes below are left out (default 0.05)")
    parser.add_argument(
        "--person-class", type=int, default=1, help='number of the class "person" (default 1, as in COCO)'
    )
    parser.add_argument("--step", type=int, default=1, help="2 for every second key frame, and so on (default 1)")
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = build_parser(prog)
    try:
        options, overrides = split_overrides(argv, with_value=VALUES, flags=("-h", "--help"))
    except ValueError as error:
        parser.error(str(error))
    args = parser.parse_args(options)
    if args.step < 1 or not 0 <= args.score <= 1:
        parser.error(f"--step {args.step} must be at least 1, and --score {args.score:g} between 0 and 1")
    try:
        if Path(args.out).exists():
            raise ValueError(f"--out: {args.out} exists already; choose another name, or remove it")
        detector = Path(args.detector)
        detect = OnnxPersonDetector(session_of(detector), file=str(detector), person_class=args.person_class)
        task = Localization(load_cfg(args.cfg, overrides))
        split = task.train_split if args.split == "train" else task.test_split
        found = people_on_key_frames(split, detect, min_score=args.score, step=args.step)
        if not found.rows:
            raise ValueError(f"{detector} found nobody on {found.key_frames} key frames; nothing was written\n{found}")
        write_text("".join(f"{row}\n" for row in found.rows), args.out)
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(found)
    print(f"wrote {args.out}")
    return 0
