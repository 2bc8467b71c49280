"""Convert annotations between labelling tools, spreadsheets, pickles and AVA's CSVs, by the times in the videos.

bmvit convert-annotations --from cvat --to ava --videos videos --out annotations --every 1 --test-video c a.xml b.xml c.xml
bmvit convert-annotations --from ava --to cvat --videos videos --label-map classes.pbtxt --out pre.xml detections.csv
bmvit convert-annotations --from jhmdb-pickle --to jhmdb-csv --out data/jhmdb JHMDB-GT.pkl
bmvit convert-annotations --from jhmdb-masks --to jhmdb-csv --out data/jhmdb puppet_mask splits

Exit code 0 on success, 1 when an input is wrong (the message says which and where); nothing is left half written.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from slowfast.preparation.converters.annotations import VideoTimes
from slowfast.preparation.converters.attributes import AUTO, report
from slowfast.preparation.converters.formats.ava import LABEL_MAP
from slowfast.preparation.converters.formats.coco import FRAMES_FROM
from slowfast.preparation.converters.formats.tubes import jhmdb_from_masks, jhmdb_from_pickle, write_jhmdb
from slowfast.preparation.converters.table import CONVERT_ERRORS, FORMATS, Options, convert
from slowfast.structures.annotations.label_map import read_label_map

JHMDB, TARGET = ("jhmdb-pickle", "jhmdb-masks"), "jhmdb-csv"


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    formats = "\n".join(
        f"  {name:<13} {one.what}{'' if one.write else ' (read only)'}" for name, one in FORMATS.items()
    )
    parser = argparse.ArgumentParser(
        prog=prog,
        description=f"{__doc__}\nformats:\n{formats}\n  {JHMDB[0]}, {JHMDB[1]}  to {TARGET}, the CSVs of TRAIN.DATASET jhmdb",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="what is read")
    parser.add_argument("--from", dest="source", required=True, choices=[*FORMATS, *JHMDB], metavar="FORMAT")
    parser.add_argument("--to", dest="target", required=True, choices=[*FORMATS, TARGET], metavar="FORMAT")
    parser.add_argument(
        "--out", required=True, metavar="PATH", help="the file, or the folder where several are written"
    )
    parser.add_argument("--videos", metavar="DIR", help="the folder of the videos, whose times count")
    parser.add_argument(
        "--every", type=float, metavar="S", help="keep key frames S seconds apart (default: all that are labelled)"
    )
    parser.add_argument(
        "--test-video", action="append", default=[], metavar="NAME", help="held out for the test; may be repeated"
    )
    parser.add_argument("--label-map", metavar="FILE", help="the classes of AVA's CSVs")
    parser.add_argument(
        "--first-second", type=float, default=0, metavar="N", help="AVA's timestamp at the start of a file (default 0)"
    )
    parser.add_argument(
        "--first-frame",
        type=int,
        default=0,
        metavar="N",
        help="what a spreadsheet or COCO's file that counts frames calls the first one (default 0)",
    )
    parser.add_argument(
        "--frames-from",
        choices=FRAMES_FROM,
        default="auto",
        help="what numbers the frames of COCO's images without a time (default: frame_index, else frame_id)",
    )
    parser.add_argument(
        "--actions-from",
        default=AUTO,
        metavar="WHAT",
        help="what tells actions in files of CVAT, Label Studio and VIA, and takes them when such are written: names of "
        "attributes between commas, 'attributes' (all), 'label' (of a track or region), or 'auto' (default: attributes, "
        "where boxes have any)",
    )
    parser.add_argument("--split", type=int, default=1, metavar="N", help="of a pickle of tubes (default 1)")
    parser.add_argument(
        "--min-score", type=float, default=0.3, metavar="P", help="of detections that become pre-labels (default 0.3)"
    )
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = build_parser(prog)
    args = parser.parse_args(argv)
    if (args.source in JHMDB) != (args.target == TARGET):
        parser.error(f"--to {TARGET} goes with --from {' or '.join(JHMDB)}")
    if args.source not in JHMDB and not args.videos:
        parser.error("--videos DIR is needed: moments are looked up in the videos")
    try:
        print(_jhmdb(args) if args.source in JHMDB else _convert(args))
    except (*CONVERT_ERRORS, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _convert(args: argparse.Namespace) -> str:
    if not Path(args.videos).is_dir():
        raise ValueError(f"{args.videos}: no such folder (--videos)")
    videos = VideoTimes(Path(args.videos))
    for name, holds, rule in (
        ("every", args.every is None or 0 < args.every < math.inf, "above 0"),
        ("first-second", 0 <= args.first_second < math.inf, "0 or more"),
        ("min-score", 0 <= args.min_score <= 1, "from 0 to 1"),
    ):
        if not holds:
            raise ValueError(f"--{name} must be {rule}")
    options = Options(
        label_map=Path(args.label_map) if args.label_map else None,
        first_second=args.first_second,
        first_frame=args.first_frame,
        frames_from=args.frames_from,
        actions_from=args.actions_from,
        split=args.split,
        test_videos=tuple(videos.name(video) for video in args.test_video),
        min_score=args.min_score,
    )
    found = convert(
        [Path(file) for file in args.files],
        args.source,
        args.target,
        Path(args.out),
        videos,
        options=options,
        seconds=args.every,
    )
    moments = {(label.video, label.time) for label in found.labels} | set(found.empty)
    notes = "".join(f"\nleft out: {note}" for note in found.notes)
    notes += "".join(f"\nlook at this: {remark}" for remark in found.remarks)
    told = report(found.attributes, [label.actions for label in found.labels], args.actions_from)
    notes = f"\n{told}{notes}" if told else notes
    return (
        f"{args.out}: {len(found.labels)} boxes on {len(moments)} key frames of {len(found.videos)} videos, "
        f"{len(found.classes)} classes: {', '.join(found.classes)}{_exchanged(args)}{notes}"
    )


def _exchanged(args: argparse.Namespace) -> str:
    """What mirrored clips exchange, as the label map says that was written, or was there."""
    path = Path(args.out) / LABEL_MAP
    if not path.is_file():  # other formats have none
        return ""
    found = read_label_map(path)
    names = dict(zip(found.ids, found.names, strict=True))
    pairs = "; ".join(f"{names[a]} <-> {names[b]}" for a, b in found.swaps)
    return f"\nmirrored clips exchange {pairs} ({path})" if pairs else ""


def _jhmdb(args: argparse.Namespace) -> str:
    if args.source == "jhmdb-pickle":
        found = jhmdb_from_pickle(Path(args.files[0]))
    elif len(args.files) == 2:
        found = jhmdb_from_masks(Path(args.files[0]), Path(args.files[1]))
    else:
        raise ValueError("--from jhmdb-masks needs two folders: the puppet masks, then the splits")
    write_jhmdb(found, Path(args.out))
    return f"{args.out}: {sum(len(video.boxes) for video in found)} boxes of {len(found)} videos"
