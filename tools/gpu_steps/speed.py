"""Ratios of speed and memory: what tools/benchmark.py measures, at sizes that fit into minutes."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import torch
from bench import classifiers, detector
from bench.detector import TrainStep
from bench.rows import Row
from bench.timing import in_this_process, interleaved
from gpu_steps.profiling import kernels_of, short
from gpu_steps.report import Options, Report
from gpu_steps.setups import detector_setup

CLIPS = 16
_KERNELS_SHOWN = 12
_TRAIN_ROUNDS = 3


@contextmanager
def _quick(options: Options) -> Iterator[int]:
    """How many rounds are timed; with --tiny one, and no processes are started for it."""
    with in_this_process() if options.tiny else nullcontext():
        yield 1 if options.tiny else 5


def train(options: Options, report: Report) -> None:
    with _quick(options) as repeats:
        # A plain step takes seconds in bfloat16: its depthwise convolutions are cuDNN's.
        rounds = min(repeats, _TRAIN_ROUNDS)
        for row in detector.train(detector_setup(options, clips=CLIPS), repeats=rounds, largest=False):
            report.row(row)


def inference(options: Options, report: Report) -> None:
    setup = detector_setup(options, clips=CLIPS)
    with _quick(options) as repeats:
        off = detector.check_compiled(setup)
        report.row(Row("inference, as the engine runs it against eager", f"logits off {off:.1e}", "", "", "0.05"))
        report.row(*detector.infer(setup, repeats=repeats))
        report.row(*detector.infer(replace(setup, clips=1), repeats=repeats))


def classifier(options: Options, report: Report) -> None:
    size = classifiers.SMALL if options.tiny else classifiers.WHOLE
    names = tuple(name for name in classifiers.NAMES[options.device] if name != "ours, plain")
    with _quick(options) as repeats:
        measure = {"clips": 1 if options.tiny else CLIPS, "repeats": repeats, "device": torch.device(options.device)}
        for row in classifiers.main("model", size=size, names=names, **measure):
            report.row(row)


def profile(options: Options, report: Report) -> None:
    """The kernels of a training step as the engine runs it, and the share of its time in which any of them runs."""
    device = torch.device(options.device)
    step = TrainStep(detector_setup(options, clips=CLIPS))
    seconds = interleaved({"": step}, repeats=1 if options.tiny else 3, device=device)[""].median
    found = kernels_of(step, device)
    busy = sum(kernel.seconds for kernel in found)
    report.value("kernels", [vars(kernel) for kernel in found[:50]])
    title = "training step, batch 2" if options.tiny else f"training step, batch {CLIPS}"
    report.row(Row(f"{title}: kernels in sum", f"{busy * 1e3:.1f} ms", f"wall {seconds * 1e3:.1f} ms",
                   f"{busy / seconds:.0%}"))  # fmt: skip
    for kernel in found[:_KERNELS_SHOWN]:
        times = f"{kernel.seconds * 1e3:.2f} ms, {kernel.calls} calls"
        report.row(Row(f"- {short(kernel.name)}", times, "", f"{kernel.seconds / busy:.1%}"))
