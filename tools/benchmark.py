"""Speed and memory, each a ratio measured in one run with the numbers checked first. docs/PERFORMANCE.md reads them.

python tools/benchmark.py model                  MViTv2-S 16x224 forward against torchvision
python tools/benchmark.py train                  its train step; with --cfg FILE a BMViT's, against our plain attention
python tools/benchmark.py infer --cfg FILE       clip to detections, against our plain attention
python tools/benchmark.py matcher --cfg FILE     share of matcher and criterion in a train step
python tools/benchmark.py memory --cfg FILE      peak memory of a train step by clip length and size
python tools/benchmark.py evaluator              the AVA frame-mAP against a per-frame implementation
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from bench import classifiers, detector, evaluator  # noqa: E402

DETECTOR = str(Path(__file__).resolve().parents[1] / "configs" / "AVA" / "BMViT_S.yaml")
WHAT = ("model", "train", "infer", "matcher", "memory", "evaluator")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--cfg", help=f"detector config; default for infer, matcher and memory: {Path(DETECTOR).name}")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads; with 1 the CPU seconds hold on a busy machine")
    parser.add_argument("--clips", type=int, default=1, help="clips a batch")
    parser.add_argument("--people", type=int, default=10, help="people a clip")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--frames", type=int, nargs="+", default=[8, 16, 32, 64], help="memory: clip lengths")
    parser.add_argument("--sizes", type=int, nargs="+", default=[224], help="memory: input sizes")
    parser.add_argument("--rows", type=int, default=1_000_000, help="evaluator: detections")
    args = parser.parse_args(argv)
    for name in ("clips", "people", "repeats", "rows"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(args, name)}")
    return args


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    device, cfg = torch.device(args.device), args.cfg or DETECTOR
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    print(f"torch {torch.__version__}, {device} {kind}, {torch.get_num_threads()} threads, {args.clips} clips a batch")
    if args.what == "evaluator":
        evaluator.main(args.rows)
    elif args.what == "model" or (args.what == "train" and args.cfg is None):
        classifiers.main(args.what, clips=args.clips, repeats=args.repeats, device=device)
    elif args.what == "train":
        detector.train(cfg, clips=args.clips, people=args.people, repeats=args.repeats, device=device)
    elif args.what == "infer":
        detector.infer(cfg, clips=args.clips, repeats=args.repeats, device=device)
    elif args.what == "matcher":
        detector.matcher(cfg, clips=args.clips, people=args.people, repeats=args.repeats, device=device)
    else:
        detector.memory(cfg, frames=args.frames, sizes=args.sizes, clips=args.clips, device=device)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
