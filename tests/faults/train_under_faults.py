"""Train a small detector while everything goes wrong, and compare it with one that was left alone.

python tests/faults/train_under_faults.py --minutes 120 --seed 1

In each round one of these is drawn: the run is killed (SIGKILL) or asked to stop (SIGTERM) after some seconds, no file can be
written beyond some kilobytes (a full disk), a bit of the newest checkpoint is changed, the newest checkpoint is cut off or
gone, half a line is left in the log. Then the same command goes on. A run that is done, or whose time is over, is led to its
end, and its last checkpoint must equal that of an undisturbed run, bit for bit; then another one begins, until the time is over.
docs/RELIABILITY.md has what came out.
"""

import argparse
import collections
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

FAULTS = ("kill", "kill", "kill", "term", "full disk", "changed bit", "cut off", "gone", "half a line")
SMALL = [
    *("MVIT.EMBED_DIM", "16", "MVIT.DEPTH", "2", "MVIT.POOL_Q_STRIDE", "[[0,1,1,1],[1,1,2,2]]", "DATA.NUM_FRAMES", "4"),
    *("TRAIN.BATCH_SIZE", "4", "TRAIN.CHECKPOINT_STEPS", "2", "MVIT.DROPPATH_RATE", "0.2"),
    *("SOLVER.EMA_DECAY", "0.99", "SOLVER.WARMUP_EPOCHS", "1.0", "TRAIN.EVAL_PERIOD", "2", "TRAIN.CHECKPOINT_PERIOD", "1"),
    *("LOG_PERIOD", "2", "TEST.ENABLE", "False", "TENSORBOARD.ENABLE", "False", "NUM_THREADS", "1"),
]  # fmt: skip


def command(data: Path, out: Path, epochs: int) -> list[str]:
    return [
        *(sys.executable, str(ROOT / "tools/run_net.py"), "--cfg", str(ROOT / "configs/Toy/BMViT_toy.yaml"), *SMALL),
        *("AVA.VIDEO_DIR", str(data / "videos"), "AVA.ANNOTATION_DIR", str(data / "annotations")),
        *("DATA.CACHE_DIR", "", "SOLVER.MAX_EPOCH", str(epochs), "OUTPUT_DIR", str(out)),
    ]


def newest(out: Path) -> Path | None:
    saved = sorted((out / "checkpoints").glob("checkpoint_*.pyth"), key=lambda path: path.stat().st_mtime)
    return saved[-1] if saved else None


def damage(fault: str, out: Path, draw: random.Random) -> None:
    """What is done to the files of a run that stands still."""
    path = newest(out)
    if fault == "half a line" and (out / "log.jsonl").is_file():
        with (out / "log.jsonl").open("a") as log:
            log.write('{"kind": "train", "step": 9')
    elif path is None or len(list((out / "checkpoints").glob("checkpoint_*.pyth"))) < 2:
        return  # the only checkpoint there is: a run without any rightly ends
    elif fault == "changed bit":
        content = bytearray(path.read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
    elif fault == "cut off":
        path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])
    elif fault == "gone":
        path.unlink()


def one_round(fault: str, words: list[str], out: Path, log: Path, draw: random.Random, longest: float) -> int:
    """Run until it ends or is ended; its exit code."""
    damage(fault, out, draw)
    limit = draw.randrange(2_000, 60_000)

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with log.open("ab") as printed:
        run = subprocess.Popen(
            words,
            stdout=printed,
            stderr=printed,
            preexec_fn=no_room if fault == "full disk" else None,
            env=environment(),
        )
        try:
            return run.wait(timeout=draw.uniform(0.3, 1.0) * longest)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGTERM if fault == "term" else signal.SIGKILL)
            return run.wait()


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def same(left: Path, right: Path) -> bool:
    import torch

    from slowfast.structures.tensors import tensors_in

    pairs = zip(*(list(tensors_in(torch.load(path, weights_only=True))) for path in (left, right)), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--longest", type=float, default=60, help="seconds after which a round is ended at the latest")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    draw, counts, codes = random.Random(args.seed), collections.Counter(), collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, straight = folder / "data", folder / "straight"
        make = [
            *(sys.executable, str(ROOT / "tools/make_toy_ava.py"), "--out", str(data), "--videos", "10", "--seed", "7")
        ]
        subprocess.run(make, check=True, env=environment(), stdout=subprocess.DEVNULL)
        start = time.monotonic()
        subprocess.run(command(data, straight, args.epochs), check=True, env=environment(), stdout=subprocess.DEVNULL)
        print(f"undisturbed: {args.epochs} epochs in {time.monotonic() - start:.0f} s", flush=True)
        end, good, runs = time.monotonic() + 60 * args.minutes, True, 0
        while good and time.monotonic() < end:
            runs += 1
            good = disturbed(data, straight, folder / f"run{runs}", args, end, draw, counts, codes)
        print(f"{runs} runs, {sum(counts.values())} rounds: {dict(counts)}; exit codes {dict(codes)}")
        return 0 if good else 1


def disturbed(
    data: Path,
    straight: Path,
    out: Path,
    args: argparse.Namespace,
    end: float,
    draw: random.Random,
    counts: collections.Counter,
    codes: collections.Counter,
) -> bool:
    """One run through faults until it is done or the time is over, then to its end; whether it equals `straight`."""
    words, log, code = command(data, out, args.epochs), out.with_suffix(".txt"), -1
    while time.monotonic() < end and code != 0:
        fault = draw.choice(FAULTS)
        code = one_round(fault, words, out, log, draw, args.longest)
        counts[fault] += 1
        codes[code] += 1
        where = newest(out)
        left, saved = end - time.monotonic(), where.name if where else "nothing saved"
        print(f"{left:6.0f} s left  {out.name} {fault:12} exit {code:4}  {saved}", flush=True)
    done = subprocess.run(words, env=environment(), capture_output=True, text=True)
    name = f"checkpoints/checkpoint_epoch_{args.epochs:05d}.pyth"
    good = done.returncode == 0 and same(straight / name, out / name)
    lines = [path.joinpath("log.jsonl").read_text().count('"kind": "train"') for path in (straight, out)]
    print(
        f"{out.name}: exit {done.returncode}; training records in the log {lines[1]} of {lines[0]} (a full disk loses some)"
    )
    if not good:
        print("it DIFFERS\n" + done.stderr[-2000:] + log.read_text(errors="replace")[-3000:])
    else:
        print(f"{out.name}: the last checkpoint equals that of the undisturbed run bit for bit", flush=True)
        shutil.rmtree(out)
    return good


if __name__ == "__main__":
    sys.exit(main())
