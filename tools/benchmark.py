"""Speed and memory, each a ratio measured in one run with the numbers checked first. docs/PERFORMANCE.md reads them.

python tools/benchmark.py model                  MViTv2-S 16x224 forward against torchvision
python tools/benchmark.py train                  its train step; with --cfg FILE a BMViT's, against our plain attention
python tools/benchmark.py infer --cfg FILE       clip to detections, against our plain attention
python tools/benchmark.py infer --cfg FILE --runtimes   eager, compiled, ONNX Runtime and INT8; --weights: their mAP, too
python tools/benchmark.py matcher --cfg FILE     share of matcher and criterion in a train step
python tools/benchmark.py memory --cfg FILE      peak memory of a train step by clip length and size
python tools/benchmark.py kept --cfg FILE         train steps with freed memory kept and given back
python tools/benchmark.py attention --cfg FILE   every way to compute each attention of the config
python tools/benchmark.py pooling --cfg FILE     every way to compute each depthwise convolution of the config
python tools/benchmark.py frames --cfg FILE       a detector with a network for single frames: what keeping features saves
python tools/benchmark.py realtime --cfg FILE     such a detector whole on a stream, in PyTorch and in ONNX Runtime
python tools/benchmark.py cpu --threads 1        ratios of this processor in CPU time, as a table in a file
python tools/benchmark.py gpu                    all of these on a GPU, as a table in a file
python tools/benchmark.py roofline --clips 16    what a GPU must move and compute, by layer type; needs no GPU
python tools/benchmark.py evaluator              the AVA frame-mAP against a per-frame implementation
python tools/benchmark.py startup --repeats 3    what the imports of each command take, and their share of evaluate-ava
python tools/benchmark.py explain --cfg FILE     a detector with and without the attention of `predict --explain`
python tools/benchmark.py loader --task classification   training clips against the usual route, and decoding alone
python tools/benchmark.py loader --task reading   clips of videos and frame folders against PyAV and cv2.imread alone
python tools/benchmark.py loader --task transforms  a training clip of cached pixels, colours changed by the loader or the device
python tools/benchmark.py loader --task start    annotations of AVA's size to key frames, and to loader workers
python tools/benchmark.py loader --task memory   memory of loader workers over --reads clips
python tools/benchmark.py predict --cfg FILE     prediction on a file against decoding and the forward pass alone
python tools/benchmark.py endless --cfg FILE     memory of prediction over an hour of video
python tools/benchmark.py scaling                predicted: a train step on 1 to 512 GPUs; --measure: gloo of this machine
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from bench import (  # noqa: E402
    classifiers,
    cpu,
    detector,
    endless,
    evaluator,
    explaining,
    frames,
    gpu,
    kept,
    layers,
    loader,
    prediction,
    reading,
    realtime,
    roofline,
    runtimes,
    scaling,
    start,
    startup,
    transforms,
    worker_memory,
)  # fmt: skip
from bench.detector import Setup  # noqa: E402
from bench.rows import choose, run_all  # noqa: E402

from slowfast.engine.device.compiling import choose_compiling  # noqa: E402

CLASSIFIER = str(Path(__file__).resolve().parents[1] / "configs" / "Kinetics" / "MVITv2_S_16x4.yaml")
DETECTOR = str(Path(__file__).resolve().parents[1] / "configs" / "AVA" / "BMViT_S.yaml")
TRANSFORMED = [DETECTOR, str(Path(DETECTOR).parents[1] / "JHMDB" / "BMViT_small_scratch.yaml")]
WHAT = ("model", "train", "infer", "matcher", "memory", "attention", "pooling", "frames", "cpu", "gpu", "roofline", "evaluator", "loader",
        "predict", "endless", "explain", "realtime", "kept", "scaling", "startup")  # fmt: skip


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--cfg", help=f"config of the network; default {Path(DETECTOR).name} where one is needed")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY VALUE", help="change keys of the config")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads; with 1 the CPU seconds hold on a busy machine")
    parser.add_argument("--clips", type=int, default=None, help="clips a batch (default 1; scaling: by the network)")
    parser.add_argument("--measure", action="store_true", help="scaling: time all-reduces between two processes, too")
    parser.add_argument("--people", type=int, default=10, help="people a clip")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--frames", type=int, nargs="+", default=[8, 16, 32, 64], help="memory: clip lengths")
    parser.add_argument("--sizes", type=int, nargs="+", default=[224], help="memory: input sizes")
    parser.add_argument(
        "--rows",
        type=int,
        nargs="+",
        default=[1_000_000, 7_000_000],
        help="evaluator: numbers of detections; startup: the first",
    )
    parser.add_argument(
        "--task",
        choices=("classification", "reading", "transforms", "start", "memory"),
        default="classification",
        help="loader: training clips of classifiers, reading alone, transforms alone, the start-up of AVA, or workers' memory",
    )
    parser.add_argument("--reads", type=int, default=10_000, help="loader --task memory: clips")
    parser.add_argument("--videos", type=int, default=8, help="loader: how many are made")
    parser.add_argument("--folder", type=Path, help="loader: of videos to use instead")
    parser.add_argument(
        "--weights",
        type=Path,
        help="predict, endless, realtime: a checkpoint, not random weights; infer --runtimes: its test, too",
    )
    parser.add_argument("--video", type=Path, help="predict, realtime: a video to use instead of one that is made")
    parser.add_argument(
        "--seconds", type=float, help="predict, endless, realtime: of the video that is made (default 20, 3600, 4)"
    )
    parser.add_argument(
        "--every", type=float, help="predict, endless, realtime: seconds between key frames (default 0.5, 1, 1/15)"
    )
    parser.add_argument("--out", type=Path, help="cpu, gpu: the file to write (cpu_results.md, gpu_results.md)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="cpu, gpu: some of it, such as --only model train")
    parser.add_argument(
        "--runtimes", nargs="*", choices=runtimes.NAMES, metavar="NAME", help="infer: all of them, or eager and some"
    )
    args = parser.parse_args(argv)
    asked, args.clips = args.clips, 1 if args.clips is None else args.clips
    args.clips_asked = asked
    smallest = {"clips": args.clips, "people": args.people, "repeats": args.repeats, "rows": min(args.rows)}
    for name, value in smallest.items():
        if value < 1:
            parser.error(f"--{name} must be at least 1, got {value}")
    if len(args.set) % 2:
        parser.error(f"--set takes KEY VALUE pairs; {args.set[-1]} lacks a value")
    return args


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device("cpu" if args.what == "cpu" else args.device)
    if args.what == "gpu" and device.type != "cuda":
        print("benchmark.py gpu needs a CUDA device and this machine shows none; the other commands run on a CPU")
        return 2
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    machine = f"torch {torch.__version__}, {device} {kind}, {torch.get_num_threads()} threads"
    print(f"{machine}, {args.clips} clips a batch")
    setup = Setup(args.cfg or DETECTOR, str(device), args.clips, tuple(args.set), args.people)
    measure = {"clips": args.clips, "repeats": args.repeats, "device": device}
    if args.what == "loader" and args.task == "reading":
        reading.main(repeats=args.repeats)
    elif args.what == "loader" and args.task == "transforms":
        transforms.main([args.cfg] if args.cfg else TRANSFORMED, args.set, repeats=args.repeats)
    elif args.what == "loader" and args.task == "start":
        start.main(1_600_000)
    elif args.what == "loader" and args.task == "memory":
        worker_memory.main(args.reads)
    elif args.what == "loader":
        loader.main(args.cfg or CLASSIFIER, args.set, videos=args.videos, repeats=args.repeats, folder=args.folder)
    elif args.what == "predict":
        prediction.main(setup.cfg_path, args.set, weights=args.weights, video=args.video, seconds=args.seconds or 20,
                        every=args.every or 0.5, batch=args.clips, repeats=args.repeats, device=device)  # fmt: skip
    elif args.what == "endless":
        endless.main(setup.cfg_path, args.set, weights=args.weights, seconds=args.seconds or 3600,
                     every=args.every or 1.0, batch=args.clips, device=device)  # fmt: skip
    elif args.what == "kept":
        kept.main(setup, repeats=args.repeats)
    elif args.what == "realtime":
        realtime.main(setup, weights=args.weights, video=args.video, seconds=args.seconds or 4,
                      every=args.every or 1 / 15, repeats=args.repeats)  # fmt: skip
    elif args.what == "evaluator":
        for rows in args.rows:
            evaluator.main(rows, repeats=args.repeats)
    elif args.what == "startup":
        startup.main(rows=args.rows[0], repeats=args.repeats)
    elif args.what == "scaling":
        scaling.main(clips=args.clips_asked, measure=args.measure, repeats=args.repeats)
    elif args.what == "roofline":
        roofline.main(setup.cfg, args.clips)
    elif args.what == "explain":
        explaining.main(setup, repeats=args.repeats)
    elif args.what in ("cpu", "gpu"):
        parts = cpu if args.what == "cpu" else gpu
        heading = f"{cpu.heading() if parts is cpu else machine}; {choose_compiling(setup.cfg, device)}"
        print(heading)
        named = choose(parts.benchmarks(setup, repeats=args.repeats), args.only)
        return int(run_all(named, heading=heading, out=args.out or Path(f"{args.what}_results.md")) > 0)
    elif args.what == "model" or (args.what == "train" and args.cfg is None):
        list(classifiers.main(args.what, **measure))
    elif args.what == "infer" and args.runtimes is not None:
        runtimes.main(setup, repeats=args.repeats, names=args.runtimes or runtimes.NAMES, weights=args.weights)
    elif args.what == "memory":
        detector.memory(setup, frames=args.frames, sizes=args.sizes)
    elif args.what == "frames":
        frames.frames(setup.cfg, **measure)
    elif args.what in ("attention", "pooling"):
        getattr(layers, args.what)(setup.cfg, **measure)
    else:
        list(getattr(detector, args.what)(setup, repeats=args.repeats))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
