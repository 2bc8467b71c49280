"""Serve a page where a video is dropped and the result is watched, on this machine only unless told otherwise.

bmvit serve --weights best.pyth
bmvit serve --weights best.pyth --port 8080 --most-minutes 2

Open the address that it prints. Videos go to a temporary folder and are removed with their results after an hour, and when
Ctrl-C ends the page. Exit code 0 after Ctrl-C, 1 when an input is wrong.
"""

import argparse
import sys
from collections.abc import Sequence

from slowfast.engine.device.launch import USER_ERRORS
from slowfast.inference.load import load
from slowfast.inference.predict import Options
from slowfast.inference.serve.limits import Limits
from slowfast.utils.processes.memory import keep_freed_memory


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, metavar="FILE", help="checkpoint of a detector or a classifier")
    parser.add_argument("--cfg", metavar="FILE", help="its configuration, where the checkpoint does not hold it")
    parser.add_argument("--labels", metavar="FILE", help="its class names (.pbtxt, JSON or text), where it holds none")
    parser.add_argument("--port", type=int, default=8000, help="port (default 8000; 0 for any free one)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default 127.0.0.1: this machine only; there is no password)",
    )
    parser.add_argument(
        "--name", action="append", default=[], metavar="HOST", help="a name under which browsers reach this machine"
    )
    parser.add_argument("--most-mb", type=float, default=500, metavar="MB", help="size of a video (default 500)")
    parser.add_argument("--most-minutes", type=float, default=10, metavar="M", help="length of a video (default 10)")
    parser.add_argument(
        "--every", type=float, metavar="SECONDS", help="between key frames (default 1; a classifier's clips: 10)"
    )
    parser.add_argument("--classes", nargs="+", metavar="NAME", help="tell these classes only")
    parser.add_argument(
        "--score", type=float, metavar="P", help="leave out what is less likely (default 0.3; a classifier: 0)"
    )
    parser.add_argument("--device", default="auto", help="auto (a GPU where there is one), cpu, cuda, cuda:1")
    parser.add_argument("--batch", type=int, default=4, metavar="N", help="clips of a forward pass (default 4)")
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    options = build_parser(prog).parse_args(argv)
    keep_freed_memory()
    try:
        from slowfast.inference.serve.run import check_names, serve, take_port
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "anyio"):
            raise
        print(f"error: the page needs {error.name}, which is not installed: pip install '.[serve]'", file=sys.stderr)
        return 1
    try:
        limits = Limits(most_bytes=int(options.most_mb * 1e6), most_seconds=options.most_minutes * 60)
        check_names(options.name)
        with take_port(options.host, options.port) as listening:
            model = load(
                options.weights, device=options.device, cfg=options.cfg, labels=options.labels, batch=options.batch
            )
            wanted = Options(
                every=options.every, score=options.score, classes=tuple(options.classes) if options.classes else None
            )
            serve(model, listening, options=wanted, limits=limits, names=options.name, say=say)
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("stopped; videos and results are removed")
    return 0


def say(text: str) -> None:
    """On standard output, at once."""
    print(text, flush=True)
