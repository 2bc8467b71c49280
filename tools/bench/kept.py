"""Train steps on a CPU with freed memory kept by the C library, and given back to the system as it does by default."""

from collections.abc import Callable

import torch
from bench.detector import Setup, TrainStep
from bench.timing import interleaved, made, peak_megabytes, print_timings

from slowfast.models.backbone import sees_frames
from slowfast.utils.processes.memory import keep_freed_memory


def step(setup: Setup, keep: bool) -> Callable[[], object]:
    """A train step of random clips; where the backbone sees single frames of their features, as with a frozen part."""
    if keep and not keep_freed_memory():
        raise SystemExit(
            "benchmark.py kept: the C library of this system cannot be told (slowfast/utils/processes/memory.py)"
        )
    made_step = TrainStep(setup)
    backbone = made_step.model.get_submodule("backbone")
    if sees_frames(backbone) and setup.cfg.DATA.FEATURE_VIEWS:
        clips = made_step.normalised()
        with torch.no_grad():
            channels, *size = backbone.frame_features(clips[:1, :, 0]).shape[1:]
        made_step.clips = torch.randn(len(clips), channels, clips.shape[2], *size)
    return made_step


def main(setup: Setup, *, repeats: int) -> None:
    """Each way in a process of its own, as what is set holds for the whole process; in turns."""
    device = torch.device("cpu")
    ways = {"given back": False, "kept": True}
    with made({name: (step, setup, keep) for name, keep in ways.items()}, device) as cases:
        timings = interleaved(cases, repeats=repeats, device=device)
    print_timings(timings, baseline="given back", clips=setup.clips)
    for name, keep in ways.items():
        peak = peak_megabytes(step, setup, keep, device=device)
        print(f"peak memory {name:<12}{peak:>7.0f} MiB beyond the built model")
