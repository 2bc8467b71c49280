"""A BMViT of any config: train step and inference against our plain path, the criterion's share, memory by size."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from bench.timing import interleaved, peak_megabytes, print_timings
from torch import nn

from slowfast.config import load_cfg
from slowfast.layers.attention import plain_attention
from slowfast.losses.build import build_criterion
from slowfast.models.build import build_model, build_postprocess, input_size
from slowfast.structures.clip import ClipMeta, Targets

NAMES = ("ours", "ours, plain")
AGREEMENT = 1e-5


def random_targets(clips: int, people: int, classes: int, device: torch.device) -> Targets:
    """`people` boxes with random actions in each of `clips` clips."""
    generator = torch.Generator().manual_seed(0)
    centre = 0.2 + 0.6 * torch.rand(clips * people, 2, generator=generator)
    size = 0.1 + 0.2 * torch.rand(clips * people, 2, generator=generator)
    actions = (torch.rand(clips * people, classes, generator=generator) < 0.05).float()
    return Targets(torch.cat([centre, size], dim=1).to(device), actions.to(device), (people,) * clips)


class TrainStep:
    """Forward, match, loss, backward and optimiser step of a config's model on random clips and people."""

    def __init__(
        self, cfg_path: str, clips: int, people: int, device: str, size: tuple[int, int, int] | None = None
    ) -> None:
        cfg = load_cfg(cfg_path)
        torch.manual_seed(0)
        self.model = build_model(cfg).to(device).train()
        self.criterion = build_criterion(cfg)
        self.clips = torch.randn(clips, 3, *(size or input_size(cfg)), device=device)
        self.targets = random_targets(clips, people, cfg.MODEL.NUM_CLASSES, self.clips.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-6, fused=True)

    def loss(self) -> torch.Tensor:
        with torch.autocast("cuda", torch.bfloat16, enabled=self.clips.is_cuda):
            predictions = self.model(self.clips)
        count = float(len(self.targets.boxes))
        losses = self.criterion(predictions, self.targets, num_people=count, num_clips=float(len(self.clips)))
        return self.criterion.weighted_sum(losses)

    def __call__(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.loss().backward()
        self.optimizer.step()


class Inference:
    """Forward and post-processing of a config's model on random clips."""

    def __init__(self, cfg_path: str, clips: int, device: str) -> None:
        cfg = load_cfg(cfg_path)
        torch.manual_seed(0)
        self.model, self.postprocess = build_model(cfg).to(device).eval(), build_postprocess(cfg)
        self.clips = torch.randn(clips, 3, *input_size(cfg), device=device)
        self.meta = [ClipMeta("benchmark", second, (0.0, 0.0, 1.0, 1.0)) for second in range(clips)]

    @torch.inference_mode()
    def __call__(self) -> None:
        with torch.autocast("cuda", torch.bfloat16, enabled=self.clips.is_cuda):
            predictions = self.model(self.clips)
        self.postprocess(predictions, self.meta)


def plainly(case: Callable[[], object]) -> Callable[[], object]:
    """The same case with materialised attention matrices."""

    def run() -> None:
        with plain_attention():
            case()

    return run


def _train_case(name: str, *arguments: object) -> Callable[[], object]:
    step = TrainStep(*arguments)
    return plainly(step) if name.endswith("plain") else step


def _check(model: nn.Module, clips: torch.Tensor) -> None:
    """Both attention paths give the same tokens and logits in float32; raises RuntimeError where they do not.

    Boxes are left out: those of a fresh model are its priors, whatever the tokens are.
    """
    training, both = model.training, []
    model.eval()
    with torch.inference_mode():
        for scope in (nullcontext(), plain_attention()):
            with scope:
                predictions = model(clips[:1])
                both.append((model.backbone(clips[:1]), predictions.actor_logits, predictions.action_logits))
    model.train(training)
    for name, found, expected in zip(("tokens", "actor logits", "action logits"), *both, strict=True):
        worst = ((found - expected).abs().max() / expected.abs().max()).item()
        print(f"checked: {name}, ours against plain: {worst:.1e} of the largest value")
        if not worst < AGREEMENT:
            raise RuntimeError(f"{name}: {worst:.1e} is above {AGREEMENT}; speeds of different numbers mean nothing")


def train(cfg_path: str, *, clips: int, people: int, repeats: int, device: torch.device) -> None:
    """Print speed and peak memory of a train step on both attention paths."""
    step = TrainStep(cfg_path, clips, people, str(device))
    _check(step.model, step.clips)
    cases = {"ours": step, "ours, plain": plainly(step)}
    print_timings(interleaved(cases, repeats=repeats, device=device), baseline="ours, plain", clips=clips)
    del cases, step
    peaks = {
        name: peak_megabytes(_train_case, name, cfg_path, clips, people, str(device), device=device) for name in NAMES
    }
    for name, peak in peaks.items():
        print(f"peak memory {name:<14}{peak:>8.0f} MiB{peak / peaks['ours, plain']:>7.2f} of the plain path")


def infer(cfg_path: str, *, clips: int, repeats: int, device: torch.device) -> None:
    """Print latency of clip to detections on both attention paths, and the frame rate of video that it sustains."""
    case = Inference(cfg_path, clips, str(device))
    _check(case.model, case.clips)
    timings = interleaved({"ours": case, "ours, plain": plainly(case)}, repeats=repeats, device=device)
    print_timings(timings, baseline="ours, plain", clips=clips)
    for name, timing in timings.items():
        seconds = timing.median / clips
        print(f"{name:<14}{seconds * 1e3:>9.1f} ms a clip; a key frame every second is {1 / seconds:.1f}x real time")


def matcher(cfg_path: str, *, clips: int, people: int, repeats: int, device: torch.device) -> None:
    """Print the share of matcher and criterion, forward and backward, in a train step."""
    step = TrainStep(cfg_path, clips, people, str(device))
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16, enabled=step.clips.is_cuda):
        predictions = step.model(step.clips)
    for name in ("actor_logits", "boxes", "action_logits"):
        getattr(predictions, name).requires_grad_()
    count = float(len(step.targets.boxes))

    def criterion_only() -> None:
        losses = step.criterion(predictions, step.targets, num_people=count, num_clips=float(clips))
        step.criterion.weighted_sum(losses).backward()

    timings = interleaved({"train step": step, "criterion": criterion_only}, repeats=repeats, device=device)
    print_timings(timings, baseline="train step", clips=clips)
    share = timings["criterion"].cpu_median / timings["train step"].cpu_median
    wall = timings["criterion"].median / timings["train step"].median
    print(f"matcher and criterion: {share:.2%} of the step's CPU time, {wall:.2%} of its wall time")


def memory(cfg_path: str, *, frames: list[int], sizes: list[int], clips: int, device: torch.device) -> None:
    """Print the peak memory of a train step, and bytes per token, for clips of every length and size."""
    print(f"{'frames':>7}{'size':>6}{'tokens':>8}{'MiB':>8}{'KiB/token':>11}")
    stride = build_model(load_cfg(cfg_path)).backbone.patch_embed.stride
    for length in frames:
        for size in sizes:
            tokens = (length // stride[0]) * (size // stride[1]) * (size // stride[2])
            arguments = ("ours", cfg_path, clips, 3, str(device), (length, size, size))
            peak = peak_megabytes(_train_case, *arguments, device=device)
            print(f"{length:>7}{size:>6}{tokens:>8}{peak:>8.0f}{peak * 2**10 / tokens / clips:>11.1f}", flush=True)
