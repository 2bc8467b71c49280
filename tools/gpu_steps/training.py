"""A short training by tools/run_net.py as a user starts it: in bfloat16, killed without warning, and resumed."""

import importlib.util
import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.rows import Row
from gpu_steps.opencv_cache import fill
from gpu_steps.report import Options, Report
from gpu_steps.setups import CONFIGS

from slowfast.toy.data_set import make_toy_ava

ROOT = Path(__file__).resolve().parents[2]
GOING_ON = "going on after"  # what a resumed run says
# What a run says that goes on without something it would be faster with, and what a compiled model is off.
GIVEN_UP = ("the compiled model is not used", "our Triton kernels are not used", "the compiled model is not compared")
COMPARED = "the compiled model gives what the model as written does: "


def training(options: Options, report: Report) -> None:
    """On JHMDB-21 where --data names it, by OpenCV where there is no PyAV; else on the toy set, as folders of images."""
    folder = options.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, str(ROOT / "tools/run_net.py"), "--cfg", *_arguments(options, folder)]
    killed_after = run_and_kill(command, folder / "run", folder / "first.txt")
    seconds, text = _run_to_its_end(command)
    check_log(folder / "run", text, killed_after, report)
    check_text(text, report)
    report.row(Row("training in bfloat16, resumed after SIGKILL", f"killed after step {killed_after}",
                   f"the rest took {seconds:.0f} s", ""))  # fmt: skip


def check_text(text: str, report: Report) -> None:
    """A fault for each line of a run's output that gives up a kernel or the compiled model; a row of what was compared."""
    for line in text.splitlines():
        if any(words in line for words in GIVEN_UP):
            report.fault(f"the run says: {line.strip()}")
        elif COMPARED in line:
            report.row(Row("its compiled model against the model as written", line.split(COMPARED)[1].strip(), "", ""))


def _arguments(options: Options, folder: Path) -> list[str]:
    """Of run_net.py: the config, then keys."""
    keys: dict[str, Any] = {
        "NUM_GPUS": int(options.device == "cuda"),
        "OUTPUT_DIR": folder / "run",
        "MODEL.PRECISION": "bf16",
        "LOG_PERIOD": 1,
        "TRAIN.EVAL_PERIOD": 100,
        "TRAIN.CHECKPOINT_PERIOD": 1,
        "TEST.ENABLE": False,
        "DATA_LOADER.NUM_WORKERS": 0 if options.tiny else 4,
        "SOLVER.MAX_EPOCH": 4 if options.tiny else 8,
        "SOLVER.WARMUP_EPOCHS": 0.5,
    }
    if options.data is not None:
        cfg = "JHMDB/BMViT_small_scratch.yaml"
        keys |= {"JHMDB.ANNOTATION_DIR": options.data, "JHMDB.VIDEO_DIR": options.data / "videos"}
        keys |= {"DATA.CACHE_DIR": folder / "cache"}
        if importlib.util.find_spec("av") is None:
            keys |= {"DATA.CACHE_SHORT_SIDE": 0}
            filled = fill(options.data / "videos", folder / "cache", threads=os.cpu_count() or 1)
            print(f"{filled} videos decoded by OpenCV, as PyAV is not installed", flush=True)
    else:
        cfg = "Toy/BMViT_toy.yaml"
        made = folder / "toy"
        make_toy_ava(made, videos=2 if options.tiny else 48, seconds=8, seed=1, num_workers=0 if options.tiny else None,
                     frames=True)  # fmt: skip
        keys |= {"AVA.PIXELS": "frames", "AVA.FRAME_DIR": made / "frames", "AVA.ANNOTATION_DIR": made / "annotations"}
        keys |= {"DATA.CACHE_DIR": ""}
    if options.tiny:
        keys |= {"DATA.NUM_FRAMES": 4, "DATA.TRAIN_CROP_SIZE": "[32,40]", "DATA.TEST_CROP_SIZE": "[32,40]"}
        keys |= {"TRAIN.BATCH_SIZE": 2}
    return [str(CONFIGS / cfg), *(str(word) for pair in keys.items() for word in pair)]


def run_and_kill(command: list[str], run: Path, output: Path) -> int:
    """Start a training, and kill it once it has logged steps behind a checkpoint; the last step it had logged.

    Raises RuntimeError where it ends before.
    """
    with output.open("a", encoding="utf-8") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT)
        try:
            while not (list((run / "checkpoints").glob("*.pyth")) and records(run)):
                if process.poll() is not None:
                    text = output.read_text(encoding="utf-8", errors="replace")
                    print(text, flush=True)
                    last = text.strip().splitlines()[-1:]
                    raise RuntimeError(
                        f"the training ended (exit code {process.returncode}) before it was killed: {last}"
                    )
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    print(output.read_text(encoding="utf-8", errors="replace"), flush=True)
    return records(run)[-1]["step"]


def _run_to_its_end(command: list[str]) -> tuple[float, str]:
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr, flush=True)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise RuntimeError(f"the resumed training ended with exit code {done.returncode}: {last}")
    return time.monotonic() - start, done.stdout + done.stderr


def records(run: Path) -> list[dict[str, Any]]:
    """The training records of log.jsonl; a line that is still being written is left out."""
    path, found = run / "log.jsonl", []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else ():
        if line.endswith("\n"):
            record = json.loads(line)
            found += [record] if record["kind"] == "train" else []
    return found


def check_log(run: Path, text: str, killed_after: int, report: Report) -> None:
    """The run says that it goes on, its log has each step once and more than before, and all losses are finite."""
    found = records(run)
    steps, losses = [record["step"] for record in found], [float(record["loss"]) for record in found]
    report.value("losses", losses)
    if GOING_ON not in text:
        report.fault(f"the second start does not say {GOING_ON!r}: it began anew")
    if any(after - before != 1 for before, after in itertools.pairwise(steps)) or steps[:1] != [1]:
        report.fault(f"log.jsonl does not have every step once: {steps}")
    if not steps or steps[-1] <= killed_after:
        report.fault(f"the resumed run logged nothing behind step {killed_after}: {steps[-3:]}")
    broken = [step for step, loss in zip(steps, losses, strict=True) if not math.isfinite(loss)]
    if broken:
        report.fault(f"losses that are not finite in steps {broken}")
    if losses:
        few = max(1, len(losses) // 5)
        means = [sum(part) / few for part in (losses[:few], losses[-few:])]
        report.row(Row(f"its loss, mean of the first and of the last {few} of {len(losses)} steps", f"{means[0]:.2f}",
                       f"{means[1]:.2f}", f"{means[1] / means[0]:.2f}"))  # fmt: skip
