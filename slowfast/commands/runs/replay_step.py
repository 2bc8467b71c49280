"""Run a training step again that was skipped because its gradient was not finite, and tell where it stops being finite.

bmvit replay-step runs/bmvit/skipped/epoch_00003_step_000120.json
"""

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch

from slowfast.config import load_cfg
from slowfast.engine.device.launch import USER_ERRORS
from slowfast.engine.replay import Replayed, replay
from slowfast.utils.logging import setup_logging


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument("step", type=Path, metavar="FILE.json", help="in the folder `skipped` of a run's OUTPUT_DIR")
    parser.add_argument(
        "opts", nargs="*", metavar="KEY VALUE", help="keys that are other here, such as MODEL.PRECISION"
    )
    arguments = parser.parse_args(argv)
    setup_logging()
    try:
        return _replay(arguments.step, arguments.opts)
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _replay(file: Path, opts: Sequence[str]) -> int:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        epoch, step = int(told["epoch"]), int(told["step"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is not what a skipped step left ({error}); it is in OUTPUT_DIR/skipped") from None
    config, weights = file.parents[1] / "config.yaml", file.with_suffix(".pyth")
    cfg = load_cfg(config, ["NUM_GPUS", "0", *opts])
    batches = replay(cfg, weights, epoch, step, torch.device("cpu"))
    for number, batch in enumerate(batches, start=1):
        print(f"micro-batch {number} of step {step + 1}, epoch {epoch + 1}: {', '.join(batch.clips)}")
        for line in _lines(batch):
            print(f"  {line}")
    return 0


def _lines(batch: Replayed) -> list[str]:
    bad = [f"output {name}: {count} numbers are not finite" for name, count in batch.outputs.items() if count]
    bad += [f"gradient of {name}: not finite" for name in islice(batch.gradients, 10)]
    if len(batch.gradients) > 10:
        bad.append(f"and {len(batch.gradients) - 10} more gradients")
    losses = ", ".join(f"{name} {value:.4g}" for name, value in batch.losses.items())
    return [*bad, f"losses: {losses}" if losses else batch.error]
