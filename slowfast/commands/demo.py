"""`make demo`: make toy AVA, train a small BMViT on it on the CPU, test it, and show what it learned in `runs/toy/`."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from slowfast.engine.device.launch import USER_ERRORS
from slowfast.toy.demo import Demo


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("--out", default="runs/toy", help="folder for data, checkpoint, pictures (default runs/toy)")
    parser.add_argument("--cfg", default="configs/Toy/BMViT_toy.yaml", help="configuration to train")
    args = parser.parse_args(argv)
    out = Path(args.out)
    overrides = [
        *("OUTPUT_DIR", str(out), "DATA.CACHE_DIR", str(out / "cache")),
        *("AVA.VIDEO_DIR", str(out / "data/videos"), "AVA.ANNOTATION_DIR", str(out / "data/annotations")),
    ]
    start = time.perf_counter()
    try:
        demo = Demo(args.cfg, overrides, out)
        demo.make_data()
        demo.train_and_test()
        demo.ask_whether_it_uses_time()
        demo.draw()
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; `make demo` goes on from the newest checkpoint", file=sys.stderr)
        return 130
    demo.print_results(time.perf_counter() - start)
    return 0
