"""A BMViT of any config: train step and inference against our plain path, the criterion's share, memory by size."""

import gc
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch
from bench.rows import Row
from bench.timing import Timing, interleaved, largest_batch, made, peak_megabytes, print_timings
from bench.utilisation import MATRIX, TRAINING_PASSES, print_utilisation, with_matrix_product
from fvcore.common.config import CfgNode

from slowfast.config import load_cfg
from slowfast.config.classes import num_classes
from slowfast.engine.device.compiling import compile_in_place
from slowfast.engine.device.inputs import Inputs
from slowfast.engine.device.pixels import Pixels, normalises_itself
from slowfast.engine.record.summary import model_summary
from slowfast.layers import kernels
from slowfast.layers.patch_embed import PatchEmbed
from slowfast.losses.build import build_criterion
from slowfast.models.build import build_model, build_postprocess, input_size
from slowfast.structures.clip import ClipMeta
from slowfast.structures.targets import Counts, People

AGREEMENT = {"cpu": 1e-5, "cuda": 1e-4}  # in float32; a GPU's kernels add up in another order
COMPILED_AGREEMENT = 0.05  # of the largest value, in bfloat16: only to find what is plainly wrong


@dataclass(frozen=True)
class Setup:
    """What is measured. plain: materialised attention matrices, not compiled; else as the engine runs it there."""

    cfg_path: str
    device: str
    clips: int
    overrides: tuple[str, ...] = ()
    people: int = 10
    plain: bool = False
    size: tuple[int, int, int] | None = None  # of the clips; None for that of the config

    @property
    def cfg(self) -> CfgNode:
        return load_cfg(self.cfg_path, self.overrides)

    @property
    def name(self) -> str:
        return "ours, plain" if self.plain else "ours"


def random_targets(clips: int, people: int, classes: int, device: torch.device) -> People:
    """`people` boxes with random actions in each of `clips` clips."""
    generator = torch.Generator().manual_seed(0)
    centre = 0.2 + 0.6 * torch.rand(clips * people, 2, generator=generator)
    size = 0.1 + 0.2 * torch.rand(clips * people, 2, generator=generator)
    actions = (torch.rand(clips * people, classes, generator=generator) < 0.05).float()
    return People(torch.cat([centre, size], dim=1).to(device), actions.to(device), (people,) * clips)


class _Case(ABC):
    """A config's model on random uint8 clips of a device, which it normalises, run as `Setup` says."""

    def __init__(self, setup: Setup, *, training: bool) -> None:
        cfg, device = setup.cfg, torch.device(setup.device)
        kernels.use(cfg.MODEL.KERNELS, cfg.MODEL.DEPTHWISE)
        torch.manual_seed(0)
        self.plain, self.model = setup.plain, build_model(cfg).to(device).train(training)
        shape = (setup.clips, 3, *(setup.size or input_size(cfg)))
        self.clips = torch.randint(0, 256, shape, device=device, dtype=torch.uint8)
        self._inputs = Inputs(device, mean=cfg.DATA.MEAN, std=cfg.DATA.STD)
        if not setup.plain:
            torch.compiler.reset()  # code is compiled for a few models only; those of earlier cases are gone
            # Tools compare numbers themselves, and a comparison here would be in their peaks of memory.
            leave = self._inputs.leave_pixels_to
            compile_in_place(cfg, self.model, device, graphs=not training, compare=False, leave_pixels_to=leave)
        if not any(map(normalises_itself, self.model.modules())):
            self._inputs.leave_pixels_to(self.model)

    def normalised(self) -> torch.Tensor:
        """The clips in float32, as the network's layers get them."""
        return Pixels(self._inputs.mean, self._inputs.std)(self.model, (self.clips,))[0]

    def predict(self):
        with torch.autocast("cuda", torch.bfloat16, enabled=self.clips.is_cuda):
            return self.model(self.clips)

    @abstractmethod
    def run(self) -> None:
        """What is timed."""

    def __call__(self) -> None:
        with kernels.plain() if self.plain else nullcontext():
            self.run()


class TrainStep(_Case):
    """Forward, match, loss, backward and optimiser step."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup, training=True)
        self.criterion = build_criterion(setup.cfg, default="set")
        self.targets = random_targets(setup.clips, setup.people, num_classes(setup.cfg), self.clips.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-6, fused=True)

    def forget(self) -> None:
        """Let go of all memory but that of the built model and its clips."""
        self.optimizer.zero_grad(set_to_none=True)
        self.optimizer.state.clear()

    def loss(self, predictions) -> torch.Tensor:
        count = float(len(self.targets.boxes))
        return self.criterion(predictions, self.targets, per=Counts(count, float(len(self.clips)))).total

    def run(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(self.predict()).backward()
        self.optimizer.step()


class Inference(_Case):
    """Forward and post-processing."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup, training=False)
        self.postprocess = build_postprocess(setup.cfg)
        self.meta = [ClipMeta("benchmark", second, (0.0, 0.0, 1.0, 1.0)) for second in range(setup.clips)]

    @torch.no_grad()
    def run(self) -> None:
        self.postprocess(self.predict(), self.meta)


def both(setup: Setup) -> tuple[Setup, Setup]:
    return replace(setup, plain=False), replace(setup, plain=True)


def check(setup: Setup) -> None:
    """Both attention paths give the same tokens and logits in float32; raises RuntimeError where they do not.

    Boxes are left out: those of a fresh model are its priors, whatever the tokens are.
    """
    case, found = Inference(replace(setup, plain=True, clips=1)), []
    limit = AGREEMENT[case.clips.device.type]
    # cuDNN's convolutions may use TF32 by default, which rounds more than the two paths may differ.
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        clips = case.normalised()
        for scope in (nullcontext(), kernels.plain()):
            with scope:
                predictions = case.model(clips)
                found.append(
                    (
                        case.model.get_submodule("backbone")(clips),
                        predictions.actor_logits,
                        predictions.action_logits,
                    )
                )
    for name, ours, plain in zip(("tokens", "actor logits", "action logits"), *found, strict=True):
        worst = ((ours - plain).abs().max() / plain.abs().max()).item()
        print(f"checked: {name}, ours against plain: {worst:.1e} of the largest value")
        if not worst < limit:
            raise RuntimeError(f"{name}: {worst:.1e} is above {limit}; speeds of different numbers mean nothing")


@torch.no_grad()
def check_compiled(setup: Setup) -> float:
    """How far the model as the engine runs it is off the same model run eagerly, relative to the largest logit.

    Called three times, since from the second on a GPU replays what it recorded. Raises RuntimeError where it is far off.
    """
    case, worst = Inference(replace(setup, plain=False)), 0.0
    with torch.compiler.set_stance("force_eager"):
        eager = case.predict()
    for _ in range(3):
        found = case.predict()
        for name in ("actor_logits", "action_logits"):
            exact = getattr(eager, name).float()
            off = (getattr(found, name).float() - exact).abs().max() / exact.abs().max()
            worst = max(worst, off.item())
    print(f"checked: logits, as the engine runs it against eager: {worst:.1e} of the largest value")
    if not worst < COMPILED_AGREEMENT:
        raise RuntimeError(f"the compiled model's logits are off by {worst:.1e}, which is above {COMPILED_AGREEMENT}")
    return worst


def _time(make: Callable[[Setup], _Case], setups: tuple[Setup, ...], repeats: int) -> dict[str, Timing]:
    device = torch.device(setups[0].device)
    with made({setup.name: (make, setup) for setup in setups}, device) as cases:
        timings = interleaved(with_matrix_product(cases, device), repeats=repeats, device=device)
    del cases
    gc.collect()
    return timings


def _time_and_peaks(setup: Setup, repeats: int) -> tuple[dict[str, Timing], Callable[[], dict[str, float]]]:
    """Of train steps on both paths: timings, and a function that gives the peaks of memory, in MiB.

    On a GPU those are of the cases that were timed: a new one would be compiled again, which takes as long as all else.
    """
    device = torch.device(setup.device)
    makers = {one.name: (TrainStep, one) for one in both(setup)}
    if device.type != "cuda":
        new = partial(peak_megabytes, device=device)
        return _time(TrainStep, both(setup), repeats), lambda: {name: new(*maker) for name, maker in makers.items()}
    with made(makers, device) as cases:
        timings = interleaved(with_matrix_product(cases, device), repeats=repeats, device=device)
    return timings, lambda: peaks_of(
        {name: case for name, case in cases.items() if isinstance(case, TrainStep)}, device
    )


def train(setup: Setup, *, repeats: int, largest: bool = True) -> Iterator[Row]:
    """Print speed, utilisation and peak memory of a train step on both attention paths; each row as it is known.

    largest: on a GPU also at the largest batch that each fits, which takes minutes; else the memory of this batch
    """
    check(setup)
    device, gmacs = torch.device(setup.device), model_summary(setup.cfg).gmacs
    timings, measure_peaks = _time_and_peaks(setup, repeats)
    print_timings(
        {name: timings[name] for name in timings if name != MATRIX}, baseline="ours, plain", clips=setup.clips
    )
    shares = print_utilisation(timings, gmacs=gmacs, clips=setup.clips, passes=TRAINING_PASSES, device=device)
    yield from (_speed_row("train step", setup, timings), _share_row("train", setup, shares["ours"], "35 %"))
    if device.type == "cuda" and largest:
        del measure_peaks  # which has both models
        gc.collect()
        yield from _train_largest(setup, gmacs, repeats)
        return
    peaks = measure_peaks()
    for name, peak in peaks.items():
        ratio = peak / peaks["ours, plain"]
        print(f"peak memory {name:<14}{peak:>8.0f} MiB, {peak / setup.clips:.0f} a clip{ratio:>7.2f} of the plain path")
    ours, plain = peaks["ours"], peaks["ours, plain"]
    each = f"{ours / setup.clips:.0f} MiB a clip"
    yield Row("its peak memory", f"{ours:.0f} MiB, {each}", f"plain path {plain:.0f} MiB", f"{ours / plain:.2f}")


def peaks_of(cases: dict[str, TrainStep], device: torch.device) -> dict[str, float]:
    """Peak memory of two runs of each case on a GPU beyond the built models, in MiB. Its runs before are forgotten."""
    peaks = {}
    for name, case in cases.items():
        for one in cases.values():
            one.forget()
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        case()
        case()
        peaks[name] = (torch.cuda.max_memory_allocated(device) - before) / 2**20
    return peaks


def _train_largest(setup: Setup, gmacs: float, repeats: int) -> list[Row]:
    """The same at the largest batch that each path fits, one after the other: together they would not."""
    device, speed, memory, batches, rows = torch.device(setup.device), {}, {}, {}, []
    for one in both(setup):

        def make(clips: int, one: Setup = one) -> TrainStep:
            return TrainStep(replace(one, clips=clips))

        batches[one.name], memory[one.name] = largest_batch(make, device=device)
        gc.collect()
        torch.cuda.empty_cache()
        timings = _time(TrainStep, (replace(one, clips=batches[one.name]),), repeats)
        speed[one.name] = batches[one.name] / timings[one.name].median
        print(f"largest batch, {one.name}: {batches[one.name]} clips, {speed[one.name]:.2f} clips/s, "
              f"{memory[one.name]:.0f} MiB a clip")  # fmt: skip
        clips = batches[one.name]
        shares = print_utilisation(timings, gmacs=gmacs, clips=clips, passes=TRAINING_PASSES, device=device)
        if not one.plain:
            rows.append(_share_row("train", replace(one, clips=clips), shares["ours"], "35 %"))
        torch.cuda.empty_cache()
    ours, plain = "ours", "ours, plain"
    return [
        Row(
            f"{_title(setup)} train step, the largest batch each fits",
            f"{speed[ours]:.1f} clips/s at {batches[ours]}",
            f"plain path {speed[plain]:.1f} at {batches[plain]}",
            f"{speed[ours] / speed[plain]:.2f}x",
            "3x",
        ),
        Row(
            "its memory a clip",
            f"{memory[ours]:.0f} MiB",
            f"plain path {memory[plain]:.0f} MiB",
            f"{memory[ours] / memory[plain]:.2f}",
            "0.4",
        ),
        *rows,
    ]


def infer(setup: Setup, *, repeats: int) -> list[Row]:
    """Print latency of clip to detections on both attention paths, and the frame rate of video that it sustains."""
    check(setup)
    cfg, device = setup.cfg, torch.device(setup.device)
    timings = _time(Inference, both(setup), repeats)
    print_timings(
        {name: timings[name] for name in timings if name != MATRIX}, baseline="ours, plain", clips=setup.clips
    )
    gmacs = model_summary(cfg).gmacs
    shares = print_utilisation(timings, gmacs=gmacs, clips=setup.clips, passes=1, device=device)
    span = cfg.DATA.NUM_FRAMES * cfg.DATA.SAMPLING_RATE
    for one in both(setup):
        seconds = timings[one.name].median
        rate = setup.clips / seconds
        print(
            f"{one.name:<14}latency {seconds * 1e3:.1f} ms for {setup.clips} clips; {rate * cfg.DATA.NUM_FRAMES:.1f} frames/s "
            f"read, {rate * span:.1f} frames/s of video sustained with clips of {span} frames end to end"
        )
    frames = f"{setup.clips / timings['ours'].median * span:.0f} frames/s of video"
    latency = Row(f"its latency, batch {setup.clips}", f"{timings['ours'].median * 1e3:.1f} ms", "", "", frames)
    goal = "45 %"
    return [_speed_row("inference", setup, timings), latency, _share_row("inference", setup, shares["ours"], goal)]


def _title(setup: Setup) -> str:
    return setup.cfg_path.rsplit("/", 1)[-1].removesuffix(".yaml")


def _speed_row(what: str, setup: Setup, timings: dict[str, Timing]) -> Row:
    on_gpu = setup.device.startswith("cuda")
    ours, plain = (timings[name].median if on_gpu else timings[name].cpu_median for name in ("ours", "ours, plain"))
    title = f"{_title(setup)} {what}, batch {setup.clips}"
    return Row(title, f"{ours * 1e3:.1f} ms", f"plain path {plain * 1e3:.1f} ms", f"{plain / ours:.2f}x", "3x")


def _share_row(what: str, setup: Setup, share: float, goal: str) -> Row:
    return Row(f"model FLOP utilisation, {what}, batch {setup.clips}", f"{share:.1%}", "matrix rate", "", goal)


def matcher(setup: Setup, *, repeats: int) -> list[Row]:
    """Print the share of matcher and criterion, forward and backward, in a train step."""
    step, device = TrainStep(setup), torch.device(setup.device)
    with torch.no_grad():
        predictions = step.predict()
    for name in ("actor_logits", "boxes", "action_logits"):
        getattr(predictions, name).requires_grad_()
    cases = {"train step": step, "criterion": lambda: step.loss(predictions).backward()}
    timings = interleaved(cases, repeats=repeats, device=device)
    print_timings(timings, baseline="train step", clips=setup.clips)
    share = timings["criterion"].cpu_median / timings["train step"].cpu_median
    wall = timings["criterion"].median / timings["train step"].median
    print(f"matcher and criterion: {share:.3%} of the step's CPU time, {wall:.3%} of its wall time")
    times = [f"{timings[name].median * 1e3:.1f} ms" for name in ("criterion", "train step")]
    title = f"matcher and criterion, batch {setup.clips}, {setup.people} people"
    return [Row(title, times[0], f"train step {times[1]}", f"{wall:.3%}", "3 %")]


def memory(setup: Setup, *, frames: list[int], sizes: list[int]) -> list[Row]:
    """Print the peak memory of a train step, and bytes per token, for clips of every length and size."""
    print(f"{'frames':>7}{'size':>6}{'tokens':>8}{'MiB':>8}{'KiB/token':>11}")
    patch_embed = build_model(setup.cfg).get_submodule("backbone.patch_embed")
    assert isinstance(patch_embed, PatchEmbed)
    stride, rows = patch_embed.stride, []
    for length in frames:
        for size in sizes:
            tokens = (length // stride[0]) * (size // stride[1]) * (size // stride[2])
            make = partial(TrainStep, replace(setup, people=3, size=(length, size, size)))
            peak = peak_megabytes(make, device=torch.device(setup.device))
            each = peak * 2**10 / tokens / setup.clips
            print(f"{length:>7}{size:>6}{tokens:>8}{peak:>8.0f}{each:>11.1f}", flush=True)
            title = f"peak memory of a train step, {length} x {size}, {tokens} tokens"
            rows.append(Row(title, f"{peak:.0f} MiB", "", f"{each:.1f} KiB a token"))
    return rows
