"""`make demo`: make toy AVA, train a small BMViT on it on the CPU, test it, and show what it learned in `runs/toy/`."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from slowfast.engine.device.launch import USER_ERRORS
from slowfast.toy.demo import Demo


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("--out", default="runs/toy", help="folder for data, checkpoint, pictures (default runs/toy)")
    parser.add_argument("--cfg", default="configs/Toy/BMViT_toy.yaml", help="configuration to train")
    parser.add_argument(
        "--video", metavar="FILE", help="a video with real people, which the detector of weights/ is shown"
    )
    args = parser.parse_args(argv)
    out = Path(args.out)
    overrides = [
        *("OUTPUT_DIR", str(out), "DATA.CACHE_DIR", str(out / "cache")),
        *("AVA.VIDEO_DIR", str(out / "data/videos"), "AVA.ANNOTATION_DIR", str(out / "data/annotations")),
    ]
    start = time.perf_counter()
    try:
        if args.video and not Path(args.video).is_file():
            raise FileNotFoundError(f"--video {args.video}: no such file")
        demo = Demo(args.cfg, overrides, out)
        todo = phases(demo)
        if args.video:
            todo["your video is predicted"] = partial(demo.predict_a_real_video, Path(args.video))
        for number, (name, phase) in enumerate(todo.items(), start=1):
            run_phase(f"{number}/{len(todo)} {name}", phase)
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; `make demo` goes on from the newest checkpoint", file=sys.stderr)
        return 130
    demo.print_results(time.perf_counter() - start)
    return 0


def phases(demo: Demo) -> dict[str, Callable[[], None]]:
    """What the demo does, in order."""
    return {
        "the toy data set is drawn": demo.make_data,
        "the model is trained and tested": demo.train_and_test,
        "it is tested backwards, frozen, and blind": demo.ask_whether_it_uses_time,
        "what it found is drawn": demo.draw,
        "a held-out video is predicted": demo.predict_a_video,
    }


def run_phase(name: str, phase: Callable[[], None]) -> None:
    """Run it, with a line before it and one with its seconds behind it."""
    start = time.perf_counter()
    print(f"--- {name} ...", flush=True)
    phase()
    print(f"--- {name}: {time.perf_counter() - start:.1f} s", flush=True)
