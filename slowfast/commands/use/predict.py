"""Tell who does what in videos of your own, with nothing but a checkpoint: no annotations, no person detector.

bmvit predict --weights best.pyth video.mp4
bmvit predict --weights best.pyth videos/ --out results --every 0.5 --track
bmvit predict --weights best.pyth webcam:0 --track

Of each video NAME it leaves NAME.jsonl (a line per key frame, as it goes), NAME.csv (AVA's format), NAME.mp4 (drawn) and
NAME.html (a player). A live source (webcam:N, a URL, - for standard input) leaves the lines only; Ctrl-C ends it.
Exit code 0 on success, 1 when an input is wrong or a video could not be read (the others are done), 130 after Ctrl-C
(finished files and lines stay).
"""

import argparse
import sys
from collections.abc import Sequence

from slowfast.engine.device.launch import USER_ERRORS
from slowfast.inference.load import load
from slowfast.inference.predict import Options, check_options, predict_all
from slowfast.inference.predict_live import find_live, predict_live, refuse_live
from slowfast.inference.streams.sources import find_videos, plan_jobs
from slowfast.inference.written.show import check_display, show_videos
from slowfast.utils.processes.memory import keep_freed_memory
from slowfast.utils.text import printable


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a video, a folder of videos, or a pattern in quotes; or one that is live: webcam:N, rtsp://..., http://..., -",
    )
    parser.add_argument("--weights", required=True, metavar="FILE", help="checkpoint of a detector or a classifier")
    parser.add_argument("--cfg", metavar="FILE", help="its configuration, where the checkpoint does not hold it")
    parser.add_argument("--labels", metavar="FILE", help="its class names (.pbtxt, JSON or text), where it holds none")
    parser.add_argument(
        "--out", default="predictions", metavar="DIR", help="folder of the results (default predictions)"
    )
    parser.add_argument(
        "--every", type=float, metavar="SECONDS", help="between key frames (default 1; a classifier's clips: 10)"
    )
    parser.add_argument("--classes", nargs="+", metavar="NAME", help="tell these classes only")
    parser.add_argument(
        "--score", type=float, metavar="P", help="leave out what is less likely (default 0.3; a classifier: 0)"
    )
    parser.add_argument("--top", type=int, default=5, metavar="N", help="classes told of a classified clip (default 5)")
    parser.add_argument("--track", action="store_true", help="number the people and smooth their scores")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="leave NAME_explain.html: the token behind each person, what it looked at",
    )
    parser.add_argument("--device", default="auto", help="auto (a GPU where there is one), cpu, cuda, cuda:1")
    parser.add_argument("--batch", type=int, default=4, metavar="N", help="clips of a forward pass (default 4)")
    parser.add_argument("--no-video", action="store_true", help="do not write the drawn video")
    parser.add_argument("--seconds", type=float, metavar="S", help="end a live source after so long (default: Ctrl-C)")
    parser.add_argument("--show", action="store_true", help="play the drawn videos in a window at the end")
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    options = build_parser(prog).parse_args(argv)
    keep_freed_memory()
    try:
        live = find_live(options.sources, seconds=options.seconds, say=say)
        if live is not None:
            refuse_live(number=len(options.sources), show=options.show, explain=options.explain)
        elif options.show:
            check_display(drawn=not options.no_video)
        jobs = [] if live is not None else plan_jobs(find_videos(options.sources), options.out)
        model = load(
            options.weights, device=options.device, cfg=options.cfg, labels=options.labels, batch=options.batch
        )
        wanted = Options(
            every=options.every,
            score=options.score,
            classes=tuple(options.classes) if options.classes else None,
            track=options.track,
            top=options.top,
            video=not options.no_video,
            explain=options.explain,
        )
        if live is not None:
            broke = predict_live(model, live, options.out, wanted, say=say)
            if broke:
                print(f"error: {live.name}: {broke}; what was told until then stays", file=sys.stderr)
            return 1 if broke else 0
        failed = predict_all(model, jobs, check_options(model, wanted), say=say)
        if options.show:
            show_videos([job.file(".mp4") for job in jobs])
    except USER_ERRORS as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted; finished files and complete lines in {options.out} stay", file=sys.stderr)
        return 130
    if failed:
        print(f"error: {len(failed)} of {len(jobs)} videos could not be predicted:", file=sys.stderr)
        print("".join(f"  {printable(reason)}\n" for reason in failed), end="", file=sys.stderr)
    return 1 if failed else 0


def say(text: str) -> None:
    """On standard output, at once."""
    print(printable(text), flush=True)
