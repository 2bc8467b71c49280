"""All CPU rows of docs/PERFORMANCE.md in one run: ratios in CPU time, as a table for one processor."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

import torch
from bench import classifiers
from bench.detector import Inference, Setup, infer, train
from bench.rows import Row
from bench.timing import interleaved, made, print_timings

from slowfast.engine.device.precision import has_bfloat16_units

WAYS = ("float32", "bfloat16", "bfloat16, compiled")


def benchmarks(setup: Setup, *, repeats: int) -> dict[str, Callable[[], Iterable[Row]]]:
    """What there is to run, by name."""
    device, one = torch.device("cpu"), replace(setup, device="cpu", clips=1)
    sizes = {"clips": 1, "repeats": repeats, "device": device}
    return {
        "model": lambda: classifiers.main("model", **sizes),
        "train": lambda: classifiers.main("train", **sizes),
        "infer": lambda: infer(one, repeats=repeats),
        "detector train": lambda: train(one, repeats=repeats, largest=False),
        "bfloat16": lambda: bfloat16(one, repeats=repeats),
    }


def bfloat16(setup: Setup, *, repeats: int) -> list[Row]:
    """Inference in bfloat16, eager and compiled, against float32; only on a processor that multiplies in bfloat16."""
    if not has_bfloat16_units():
        return [Row("inference in bfloat16", "not measured", "this CPU has no AVX512-BF16 or AMX", "", "1.8x")]
    device, worst = torch.device("cpu"), deviation(setup)
    with made({way: (inference, setup, way) for way in WAYS}, device) as cases:
        timings = interleaved(cases, repeats=repeats, device=device)
    print_timings(timings, baseline=WAYS[0], clips=setup.clips)
    exact, *others = (timings[way].cpu_median for way in WAYS)
    against = f"float32 {exact * 1e3:.1f} ms"
    title = f"inference in {{}}, logits off by {worst:.1e} of the largest"
    return [
        Row(title.format(way), f"{seconds * 1e3:.1f} ms", against, f"{exact / seconds:.2f}x", "1.8x")
        for way, seconds in zip(WAYS[1:], others, strict=True)
    ]


def inference(setup: Setup, way: str) -> Callable[[], None]:
    """Clip to detections in one of WAYS."""
    compiled = ("MODEL.COMPILE", "on" if way.endswith("compiled") else "off")
    case = Inference(replace(setup, overrides=(*setup.overrides, *compiled)))

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=way != WAYS[0]):
            case()

    return run


@torch.no_grad()
def deviation(setup: Setup) -> float:
    """How far the action logits in bfloat16 are off those in float32, as a share of the largest."""
    case = Inference(replace(setup, overrides=(*setup.overrides, "MODEL.COMPILE", "off")))
    exact = case.predict().action_logits
    with torch.autocast("cpu", torch.bfloat16):
        found = case.predict().action_logits.float()
    return ((found - exact).abs().max() / exact.abs().max()).item()


def heading() -> str:
    """The processor, versions, threads, load and date."""
    capability = torch.backends.cpu.get_cpu_capability()
    return (
        f"{processor()} ({capability}), torch {torch.__version__}, {torch.get_num_threads()} thread(s), "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {date.today()}; times are CPU seconds of all threads, median"
    )


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name, family and model, as Linux tells them; virtual machines hide the product behind a general name."""
    if not cpuinfo.is_file():
        return "unknown processor"
    fields = {}
    for line in cpuinfo.read_text().split("\n\n")[0].splitlines():
        name, _, value = line.partition(":")
        fields[name.strip()] = value.strip()
    known = [fields.get("model name", "unknown processor")]
    known += [f"{name} {fields[key]}" for name, key in (("family", "cpu family"), ("model", "model")) if key in fields]
    return ", ".join(known)
