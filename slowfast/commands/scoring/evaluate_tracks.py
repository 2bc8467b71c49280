"""What tracking adds: frame-mAP, video-mAP, identity switches and IDF1 with and without it, on videos whose tracks are known.

bmvit evaluate-tracks --weights best.pyth --videos runs/toy/data/videos --tracks runs/toy/data/annotations/toy_val_tracks.csv

Tracks: a CSV of video,second,x1,y1,x2,y2,action,person (video,second where nobody is), boxes in [0, 1] of the frame. Each
video is looked at once, and its key frames are tracked by each set of rules. Exit code 0 on success, 1 when an input is
wrong.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from slowfast.engine.device.launch import USER_ERRORS
from slowfast.inference.detector import ActionDetector
from slowfast.inference.tracking.quality import HEADINGS, TUBE_IOUS, TrackQuality, track_quality, track_videos
from slowfast.inference.tracking.tracks import TrackRules
from slowfast.inference.tracking.truth import TrueTracks, read_tracks_csv
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.outputs.moment import Moment
from slowfast.utils.files import write_text
from slowfast.utils.progress import progress


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, metavar="FILE", help="checkpoint of a detector")
    parser.add_argument("--cfg", metavar="FILE", help="its configuration, where the checkpoint does not hold it")
    parser.add_argument("--labels", metavar="FILE", help="its class names (.pbtxt, JSON or text), where it holds none")
    parser.add_argument("--videos", required=True, metavar="DIR", help="folder of the videos that the tracks name")
    parser.add_argument("--tracks", required=True, nargs="+", metavar="CSV", help="annotated tracks, one file or more")
    parser.add_argument(
        "--every", type=float, default=0.25, metavar="SECONDS", help="between key frames (default 0.25)"
    )
    parser.add_argument(
        "--score", type=float, default=0.3, metavar="P", help="people that count for switches and IDF1 (default 0.3)"
    )
    known = ", ".join(f"{name}={value:g}" for name, value in asdict(TrackRules()).items())
    parser.add_argument("--rules", nargs="+", default=[], metavar="NAME=VALUE", help=f"other rules than {known}")
    parser.add_argument("--device", default="auto", help="auto (a GPU where there is one), cpu, cuda, cuda:1")
    parser.add_argument("--json", metavar="FILE", help="write the numbers here as well")
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    options = build_parser(prog).parse_args(argv)
    try:
        rules = rules_of(options.rules)
        truth = read_all(options.tracks)
        paths = find_named(truth, Path(options.videos))
        detector = ActionDetector.from_checkpoint(
            options.weights, device=options.device, cfg=options.cfg, labels=options.labels
        )
        found = {
            video: list(detector.stream(path, every=options.every))
            for video, path in progress(paths.items(), what="videos", unit="video")
        }
        label_map = LabelMap(tuple(c.id for c in detector.classes), tuple(c.name for c in detector.classes))
        results = compare(found, truth, label_map, rules, score=options.score)
        if options.json:
            write_text(json.dumps({name: as_dict(r) for name, r in results.items()}, indent=1) + "\n", options.json)
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    moments = sum(map(len, found.values()))
    print(
        f"{len(found)} videos, {moments} key frames, one every {options.every:g} s; people of --score {options.score:g}"
    )
    width = max(map(len, results))
    print(f"{'':<{width}}{HEADINGS}")
    for name, quality in results.items():
        print(f"{name:<{width}}{quality}")
    return 0


def rules_of(settings: Sequence[str]) -> TrackRules:
    """["smoothing=0.8"] -> the rules with that. Raises ValueError for one that there is not, or that cannot be."""
    known = asdict(TrackRules())
    changed: dict[str, float] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in known:
            raise ValueError(f"--rules {setting}: there is no such rule; rules: {', '.join(known)}")
        whole = isinstance(known[name], int)
        try:
            changed[name] = int(value) if whole else float(value)
        except ValueError:
            raise ValueError(f"--rules {setting}: {name} is {'a whole number' if whole else 'a number'}") from None
    return replace(TrackRules(), **changed)  # type: ignore[arg-type]  # `memory` is whole, see above


def read_all(paths: Sequence[str]) -> dict[str, TrueTracks]:
    """The tracks of all files. Raises ValueError where two files tell of one video."""
    truth: dict[str, TrueTracks] = {}
    for path in paths:
        read = read_tracks_csv(path)
        if twice := sorted(truth.keys() & read.keys()):
            raise ValueError(f"--tracks {path}: the tracks of {twice[0]} are in another file, too")
        truth |= read
    return truth


def find_named(truth: dict[str, TrueTracks], folder: Path) -> dict[str, Path]:
    """The file of each video, whose name may be that of a folder and a file in it (JHMDB's `catch/ball_1`).

    Raises FileNotFoundError that names the first without one.
    """
    paths = sorted(folder.rglob("*")) if folder.is_dir() else []
    files = {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths if path.is_file()}
    missing = sorted(truth.keys() - files.keys())
    if missing:
        raise FileNotFoundError(
            f"--videos {folder}: no file is named like the video {missing[0]} ({len(missing)} missing)"
        )
    return {video: files[video] for video in truth}


def compare(
    found: dict[str, list[Moment]],
    truth: dict[str, TrueTracks],
    label_map: LabelMap,
    rules: TrackRules,
    *,
    score: float,
) -> dict[str, TrackQuality]:
    """The same key frames as they are, tracked only, and tracked and smoothed by the rules."""
    cases = {
        "not tracked": found,
        "tracked": track_videos(found, replace(rules, smoothing=1.0)),
        f"tracked, smoothing {rules.smoothing:g}": track_videos(found, rules),
    }
    return {name: track_quality(case, truth, label_map, score=score) for name, case in cases.items()}


def as_dict(quality: TrackQuality) -> dict[str, float | int | None]:
    """As in the table, by name."""
    found = quality.identity
    return {
        "frame_mAP": quality.frame_map,
        **{f"video_mAP@{iou}": value for iou, value in zip(TUBE_IOUS, quality.video_map, strict=True)},
        "switches": None if found is None else found.switches,
        "IDF1": None if found is None else found.idf1,
    }
