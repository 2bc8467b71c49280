"""Prepare movies for training: indexed as they are, re-encoded small with a short GOP, as JPEG frames, or packed in shards.

bmvit prepare-data movies --out data/ava/videos --window 900 1800
bmvit prepare-data movies --out data/ava/frames --mode frames --fps 30 --window 900 1800
bmvit prepare-data data/mine/videos --mode index
bmvit prepare-data data/ava/videos --out data/ava/shards --mode shards

The same command goes on where it was stopped. Each video has a record in OUT/.manifest, which a training checks.
Exit code 1 where a movie failed, or is missing; what could be prepared is.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from slowfast.preparation.movies.all_movies import movies_below, names_in, prepare_all
from slowfast.preparation.movies.one_movie import MODES, Wanted
from slowfast.preparation.movies.shards import write_shards
from slowfast.utils.files import write_text
from slowfast.utils.missing import MissingPackageError
from slowfast.utils.processes.cores import effective_cores


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    default = Wanted()
    parser = argparse.ArgumentParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="movies, or folders of them")
    parser.add_argument("--out", metavar="DIR", help="the folder to make (mode index: the folder of the movies)")
    parser.add_argument(
        "--mode", choices=(*MODES, "shards"), default=default.mode, help=f"what to make (default {default.mode})"
    )
    parser.add_argument(
        "--short-side",
        type=int,
        default=default.short_side,
        metavar="N",
        help="pixels, 0 keeps all (default %(default)s)",
    )
    parser.add_argument(
        "--gop",
        type=int,
        default=default.gop,
        metavar="N",
        help="frames between two that can be sought (default %(default)s)",
    )
    parser.add_argument(
        "--crf", type=int, default=default.crf, metavar="N", help="x264 quality, less is better (default %(default)s)"
    )
    parser.add_argument(
        "--fps", type=float, default=default.fps, metavar="F", help="of JPEG frames (default %(default)s)"
    )
    parser.add_argument(
        "--quality", type=int, default=default.quality, metavar="N", help="of JPEG frames (default %(default)s)"
    )
    parser.add_argument(
        "--shard-gb", type=float, default=1.0, metavar="GB", help="10^9 bytes of a shard (default %(default)s)"
    )
    parser.add_argument(
        "--window", type=float, nargs=2, metavar=("FIRST", "LAST"), help="seconds to keep (AVA: 900 1800)"
    )
    parser.add_argument(
        "--decode",
        action="store_true",
        help="mode index: look at every frame (slow), so that damage is found, and what is whole is read without frames that no clip shows",
    )
    parser.add_argument("--names", metavar="FILE", help="a video name a line: one without a movie is told")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: the cores at hand; 0: none)")
    parser.add_argument("--json", metavar="FILE", help="write a row per movie here")
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = build_parser(prog)
    args = parser.parse_args(argv)
    sources = [Path(source) for source in args.sources]
    if args.mode != "index" and not args.out:
        parser.error(f"--mode {args.mode} needs --out DIR")
    if args.mode == "index" and not args.out and (len(sources) != 1 or not sources[0].is_dir()):
        parser.error("--mode index takes one folder, or --out DIR")
    out = Path(args.out) if args.out else sources[0]
    try:
        movies = movies_below(sources)
        names = names_in(Path(args.names)) if args.names else []
        movies = {name: movies[name] for name in movies if not args.names or name in names}
        if args.mode == "shards":
            missing = [name for name in names if name not in movies]
            if missing:
                raise ValueError(f"{args.names}: no such movie: {', '.join(missing)}; nothing was packed")
            print(write_shards(movies, out, shard_bytes=int(args.shard_gb * 1e9)))
            return 0
        wanted = Wanted(
            mode=args.mode,
            short_side=args.short_side,
            gop=args.gop,
            crf=args.crf,
            fps=args.fps,
            quality=args.quality,
            decode=args.decode,
            window=None if args.window is None else (args.window[0], args.window[1]),
        )
        workers = effective_cores().count if args.workers is None else args.workers
        report = prepare_all(movies, out, wanted, wanted_names=names, workers=workers)
        if args.json:
            write_text(json.dumps(report.report(), indent=1) + "\n", args.json)
    except (ValueError, OSError, MissingPackageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(report)
    return int(bool(report.failed))
