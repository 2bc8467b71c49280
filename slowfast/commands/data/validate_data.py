"""Check a data set before training: every fault with file, line and reason; with detections, why the mAP is what it is.

bmvit validate-data --cfg FILE [--decode] [--json FILE] [--html FILE] [--detections FILE.csv] [--opts] [KEY VALUE ...]
bmvit validate-data --annotations train.csv --test val.csv --label-map classes.pbtxt --videos videos [--first-second 0]

Exit code 1 where training would stumble over what was found, 2 where an option is wrong, else 0.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from slowfast.config.cli import split_overrides
from slowfast.config.load import load_cfg
from slowfast.preparation.doctor.run import examine_detections
from slowfast.preparation.report import write_validation_page
from slowfast.preparation.validation.check import Validation, validate_config, validate_files
from slowfast.utils.files import write_text

VALUES = (
    "--cfg",
    "--json",
    "--html",
    "--detections",
    "--annotations",
    "--test",
    "--label-map",
    "--exclusions",
    "--videos",
    "--first-second",
    "--fps",
)


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--cfg", metavar="FILE", help="a config: the data that a run with it would read")
    parser.add_argument("--decode", action="store_true", help="read every key frame of every video")
    parser.add_argument("--json", metavar="FILE", help="write all that was found here")
    parser.add_argument("--html", metavar="FILE", help="write a page with histograms and annotated frames here")
    parser.add_argument(
        "--detections", metavar="CSV", help="compare these with the test annotations: why is the mAP what it is?"
    )
    files = parser.add_argument_group("files in AVA's format, without a config")
    files.add_argument("--annotations", metavar="CSV", action="append", default=[], help="of training; may be repeated")
    files.add_argument("--test", metavar="CSV", action="append", default=[], help="of the test; may be repeated")
    files.add_argument("--label-map", metavar="FILE", help="the classes")
    files.add_argument("--exclusions", metavar="CSV", help="key frames that count for nothing")
    files.add_argument("--videos", metavar="DIR", help="the folder of the videos")
    files.add_argument(
        "--first-second", metavar="N", type=int, default=0, help="the timestamp at the start of a file (default 0)"
    )
    files.add_argument("--fps", metavar="F", type=float, default=30.0, help="frames a second (default 30)")
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = build_parser(prog)
    try:
        options, overrides = split_overrides(argv, with_value=VALUES, flags=("-h", "--help", "--decode"))
    except ValueError as error:
        parser.error(str(error))
    args = parser.parse_args(options)
    if bool(args.cfg) == bool(args.annotations or args.test):
        parser.error("give --cfg FILE, or --annotations (or --test) with --label-map")
    if not args.cfg and not args.label_map:
        parser.error("--annotations needs --label-map")
    if args.fps <= 0:
        parser.error(f"--fps {args.fps:g}: frames a second are above 0")
    if overrides and not args.cfg:
        parser.error(f"{overrides[0]} is no option; KEY VALUE pairs go with --cfg")
    try:
        validation = _validate(args, overrides)
        examination = examine_detections(validation, Path(args.detections)) if args.detections else None
        if args.json:
            report = validation.report()
            if examination is not None:
                report["detections"] = examination.report()
            write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", args.json)
        if args.html:
            write_validation_page(validation, Path(args.html), examination)
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(validation.text())
    if examination is not None:
        print(f"\n{examination.text()}")
    return validation.exit_code


def _validate(args: argparse.Namespace, overrides: Sequence[str]) -> Validation:
    if args.cfg:
        return validate_config(load_cfg(args.cfg, overrides), decode=args.decode)
    return validate_files(
        [Path(path) for path in args.annotations],
        test=[Path(path) for path in args.test],
        label_map=Path(args.label_map),
        exclusions=Path(args.exclusions) if args.exclusions else None,
        videos=Path(args.videos) if args.videos else None,
        fps=args.fps,
        first_second=args.first_second,
        decode=args.decode,
    )
