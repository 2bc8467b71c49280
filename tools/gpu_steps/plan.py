"""The steps of tools/gpu_check.py in the order of what is worth most: where time runs out, the last ones are left out."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step.

    name:   of the step, of its function, and of its files in the folder of results
    module: of tools/gpu_steps that has the function, `name(options, report)`
    what:   it finds out, in words
    limit:  seconds that it has; all together are at most nine minutes, and what a step leaves is the next ones'
    least:  seconds below which it is not worth a start
    """

    name: str
    module: str
    what: str
    limit: int
    least: int = 10


STEPS = (
    Step("machine", "machine", "versions, copy rate, matrix rates", 25),
    Step("depthwise", "layer_checks", "every depthwise convolution against float64, with times, by every way", 55),
    Step("attention", "layer_checks", "every attention against float64, widest first, with times and kernel names", 40),
    Step("precision", "whole_models", "whole models and their gradients in float32 and bfloat16 against float64", 30),
    Step("waits", "whole_models", "where a training step makes the host wait for the device", 25),
    Step("train", "speed", "training step against plain attention: time, utilisation, memory a clip", 80, 25),
    Step("inference", "speed", "clip to detections, compiled against eager: numbers, then time", 60, 25),
    Step("tests", "gpu_tests", "the tests that need a GPU, file by file", 40, 15),
    Step(
        "queries", "layer_checks", "pooled queries with their biases against float64, by products and by our kernel", 25
    ),
    Step("classifier", "speed", "MViTv2-S forward against torchvision's, both compiled and eager", 50, 25),
    Step("training", "training", "a training in bfloat16, killed and resumed", 75, 30),
    Step("profile", "speed", "where the time of a training step goes", 30, 25),
)


def choose(names: Sequence[str] | None) -> list[Step]:
    """Those steps in the order of `STEPS`; all without names. Raises ValueError for a name that is none."""
    known = [step.name for step in STEPS]
    for name in names or ():
        if name not in known:
            raise ValueError(f"--only {name}: there is no such step; steps: {', '.join(known)}")
    return [step for step in STEPS if not names or step.name in names]
