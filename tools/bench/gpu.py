"""All GPU rows of docs/PERFORMANCE.md in one run, as a table in a file."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from bench import classifiers, layers
from bench.detector import Setup, infer, matcher, memory, train
from bench.rows import Row

BATCH = 16
LENGTHS, SIZES = (8, 16, 32, 64), (224, 320, 448)


def benchmarks(setup: Setup, *, repeats: int) -> dict[str, Callable[[], Iterable[Row]]]:
    """What there is to run, by name."""
    device, many = torch.device(setup.device), replace(setup, clips=BATCH)
    one = replace(setup, clips=1)
    return {
        "model": lambda: classifiers.main("model", clips=BATCH, repeats=repeats, device=device),
        "train": lambda: train(many, repeats=repeats),
        "infer, batch 1": lambda: infer(one, repeats=repeats),
        "infer, batch 16": lambda: infer(many, repeats=repeats),
        "matcher": lambda: matcher(many, repeats=repeats),
        "memory by length": lambda: memory(one, frames=list(LENGTHS), sizes=[SIZES[0]]),
        "memory by size": lambda: memory(one, frames=[LENGTHS[1]], sizes=list(SIZES)),
        "attention": lambda: layers.attention(setup.cfg, clips=BATCH, repeats=repeats, device=device),
        "pooling": lambda: layers.pooling(setup.cfg, clips=BATCH, repeats=repeats, device=device),
    }
