"""Score detections on the frames of UCF101-24 or JHMDB-21: frame-mAP and video-mAP, in the conventions of the field.

bmvit evaluate-tubes --groundtruth JHMDB-GT.pkl.gz --detections detections.csv --json result.json

Detections: a CSV of video,frame,x1,y1,x2,y2,class,score with frames and class ids from 1 and boxes in [0, 1] of the
frame, as a test leaves it in OUTPUT_DIR. Exit code 0 on success, 2 when an input is wrong (the message says which).
"""

import argparse
import json
import sys
from collections.abc import Sequence

import numpy as np

from slowfast.datasets.annotations.people.tubes import TubeSet, read_tubes
from slowfast.evaluation.average_precision import AP_RULES
from slowfast.evaluation.frames.conventions import (
    FRAMES,
    FrameConvention,
    all_conventions,
    conventional_frame_map,
    misses_empty_frames,
)
from slowfast.evaluation.frames.frame_map import MATCHINGS
from slowfast.evaluation.tubes.linking import METHODS, LinkRules, link_tubes
from slowfast.evaluation.tubes.video_map import VideoMap, video_map
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.utils.ava.tables import read_detections_csv
from slowfast.utils.files import write_text
from slowfast.utils.progress import progress

FLATTERED = (
    "warning: no detection lies on a frame without annotated people. If only annotated frames were shown to the model, "
    "frames every and video-mAP are too high"
)


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    rules = LinkRules()
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument(
        "--groundtruth", required=True, metavar="PICKLE", help="ACT's *-GT.pkl or pyannot, gzipped or not"
    )
    parser.add_argument("--detections", required=True, metavar="CSV", help="detections with frame numbers")
    parser.add_argument("--split", type=int, default=1, help="train/test split of the pickle (default 1)")
    parser.add_argument("--frames", choices=FRAMES, default="every", help="frames that count for frame-mAP")
    parser.add_argument(
        "--ap", choices=AP_RULES, default="voc_all_point", help="how AP is integrated, frames and tubes"
    )
    parser.add_argument("--matching", choices=MATCHINGS, default="remaining", help="which box a detection may find")
    parser.add_argument("--linking", choices=METHODS, default=rules.method, help="how boxes become tubes")
    parser.add_argument("--link-iou", type=float, default=rules.link_iou, metavar="IOU")
    parser.add_argument("--max-gap", type=int, default=rules.max_gap, metavar="FRAMES")
    parser.add_argument("--min-length", type=int, default=rules.min_length, metavar="FRAMES")
    parser.add_argument(
        "--trim", type=float, metavar="SMOOTHNESS", help="trim tubes in time; ucf24's untrimmed videos: 3"
    )
    parser.add_argument("--no-video-map", action="store_true", help="frame-mAP only")
    parser.add_argument(
        "--only-detected-videos", action="store_true", help="leave out test videos without any detection"
    )
    parser.add_argument("--json", metavar="FILE", help="write the result here as well")
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    options = build_parser(prog).parse_args(argv)
    try:
        text, report = score(options)
        if options.json:
            write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", options.json)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0


def score(options: argparse.Namespace) -> tuple[str, dict]:
    """What is printed, and what goes to --json."""
    tube_set = read_tubes(options.groundtruth, split=options.split, subset="test")
    detections = read_detections_csv(options.detections)
    groundtruth = tube_set.table(frames="every")
    videos = set(tube_set.videos)
    if options.only_detected_videos:
        if not len(detections):
            raise ValueError(
                f"{options.detections}: holds no detection, so --only-detected-videos leaves no video to score; leave it out"
            )
        videos &= set(detections.videos)
        groundtruth = groundtruth.rows(np.isin(groundtruth.video, [tube_set.videos.index(name) for name in videos]))
    convention = FrameConvention(options.frames, options.ap, options.matching)
    frames = conventional_frame_map(groundtruth, detections, tube_set.label_map, convention)
    conventions = all_conventions(groundtruth, detections, tube_set.label_map, matching=options.matching)
    lines = [frames.table(), "", *(f"frame-mAP@0.5 {value:.4f} | {name}" for name, value in conventions.items())]
    report = {"frame": frames.report(), "conventions": conventions, "num_videos": len(videos), "split": options.split}
    if not options.no_video_map:
        tubes = video_result(options, tube_set, detections, videos)
        lines += ["", tubes.table()]
        report["video"] = tubes.report()
    if misses_empty_frames(groundtruth, detections):
        lines.append(FLATTERED)
        report["warnings"] = [FLATTERED]
    return "\n".join(lines), report


def video_result(options: argparse.Namespace, tube_set: TubeSet, detections: BoxTable, videos: set[str]) -> VideoMap:
    rules = LinkRules(
        method=options.linking,
        link_iou=options.link_iou,
        max_gap=options.max_gap,
        min_length=options.min_length,
        trim_smoothness=options.trim,
    )
    tubes = link_tubes(detections, rules, progress=lambda items: progress(items, what="linking tubes", unit="class"))
    labels = tube_set.label_map
    return video_map(tube_set.tubes, tubes, labels, videos=videos, ap_rule=options.ap, linking=str(rules))
