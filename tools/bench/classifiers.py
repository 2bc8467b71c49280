"""MViTv2-S 16 x 224 against torchvision's `mvit_v2_s`: the same weights, forward or a whole train step."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path

import torch
import torch.nn.functional as F
from bench.rows import Row
from bench.timing import Timing, interleaved, made, peak_megabytes, print_timings
from bench.utilisation import TRAINING_PASSES, print_utilisation, with_matrix_product
from torch import Tensor, nn
from torchvision.models.video import mvit_v2_s
from torchvision.models.video.mvit import MSBlockConfig, MViT

from slowfast.config import load_cfg
from slowfast.engine.record.summary import model_summary
from slowfast.layers import kernels
from slowfast.models import build_model
from slowfast.utils.processes.memory import keep_freed_memory
from slowfast.weights.load import load_weights

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "Kinetics" / "MVITv2_S_16x4.yaml"


@dataclass(frozen=True)
class Size:
    """Of both networks and their clips (C, T, H, W). blocks: how many of torchvision's; changes: of our config."""

    clip: tuple[int, int, int, int]
    blocks: int = 16
    changes: tuple[str, ...] = ()


WHOLE = Size((3, 16, 224, 224))
# The first two blocks on small clips: shows that the comparison runs, and says nothing about speed.
SMALL = Size((3, 4, 32, 32), 2, (
    *("MVIT.DEPTH", "2", "MVIT.DIM_MUL", "[[1, 2.0]]", "MVIT.HEAD_MUL", "[[1, 2.0]]"),
    *("MVIT.POOL_Q_STRIDE", "[[0, 1, 1, 1], [1, 1, 2, 2]]", "DATA.NUM_FRAMES", "4"),
    *("DATA.TRAIN_CROP_SIZE", "[32, 32]", "DATA.TEST_CROP_SIZE", "[32, 32]"),
))  # fmt: skip
# On a GPU models are compiled; there torchvision is taken as the better of eager and compiled.
# On a CPU ours keeps freed memory, as a run does; torchvision is compared as its user has it, and told with memory kept, too.
KEPT = ", memory kept"
NAMES = {
    "cpu": ("ours", "ours, plain", "torchvision", "torchvision" + KEPT),
    "cuda": ("ours, compiled", "ours", "ours, plain", "torchvision", "torchvision, compiled"),
}
GOALS = {"cpu": {"model": "1.8x", "train": "1.7x"}, "cuda": {"model": "2.5x", "train": ""}}
AGREEMENT = 1e-5
BFLOAT16_AGREEMENT = 0.05  # of the largest logit, after 16 blocks in bfloat16: only to find what is plainly wrong


def build(name: str, size: Size = WHOLE) -> nn.Module:
    """The model of that name; all of them get the weights that torchvision draws from one seed."""
    torch.manual_seed(0)
    theirs = mvit_v2_s() if size.blocks == WHOLE.blocks else _first_blocks(size)
    if name.startswith("torchvision"):
        return theirs
    ours = build_model(load_cfg(CONFIG, size.changes))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "torchvision.pth"
        torch.save(theirs.state_dict(), path)
        load_weights(ours, path)
    return ours


def _first_blocks(size: Size) -> nn.Module:
    """torchvision's MViTv2-S with its first two blocks only."""
    kernel = [3, 3, 3]
    blocks = [
        MSBlockConfig(1, 96, 96, kernel, kernel, [1, 1, 1], [1, 8, 8]),
        MSBlockConfig(2, 96, 192, kernel, kernel, [1, 2, 2], [1, 4, 4]),
    ]
    _, time, *space = size.clip
    return MViT(tuple(space), time, blocks, residual_pool=True, residual_with_cls_embed=False, rel_pos_embed=True,
                proj_after_attn=True, stochastic_depth_prob=0.2)  # fmt: skip


def make_case(name: str, mode: str, clips: int, device: str, size: Size = WHOLE) -> Callable[[], Tensor | None]:
    """One forward pass ("model"), which returns logits, or one train step with AdamW ("train") of the model `name`.

    In bfloat16 on a GPU. Compiled inference replays CUDA graphs, ours and torchvision's. What memory is kept holds for a
    whole process, so it is only in one of its own.
    """
    if device == "cpu" and parent_process() and (name.startswith("ours") or name.endswith(KEPT)):
        keep_freed_memory()
    training = mode == "train"
    model = build(name, size).to(device).train(training)
    if name.endswith("compiled"):
        model.compile(dynamic=False, mode=None if training else "reduce-overhead")
    x = torch.randn(clips, *size.clip, generator=torch.Generator().manual_seed(2)).to(device)
    labels = torch.arange(clips, device=device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True) if training else None

    def run() -> Tensor | None:
        if optimizer is not None:
            optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=x.is_cuda):
            if optimizer is None:
                with torch.no_grad():
                    return model(x)
            loss = F.cross_entropy(model(x).float(), labels)
        loss.backward()
        optimizer.step()
        return None

    def run_plain() -> Tensor | None:
        with kernels.plain():
            return run()

    return run_plain if name.endswith("plain") else run


def _worst(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()


def check(size: Size = WHOLE) -> None:
    """Logits of all three models, and gradients of our two paths, agree; raises RuntimeError where they do not."""
    x = torch.randn(1, *size.clip, generator=torch.Generator().manual_seed(1))
    ours, theirs = build("ours", size).eval(), build("torchvision", size).eval()
    with torch.no_grad():
        expected = theirs(x)
    logits = ours(x)
    gradients = torch.autograd.grad(logits.square().sum(), list(ours.parameters()))
    with kernels.plain():
        plain = ours(x)
        expected_gradients = torch.autograd.grad(plain.square().sum(), list(ours.parameters()))
    found = {
        "logits, ours against torchvision": _worst(logits, expected),
        "logits, plain against torchvision": _worst(plain, expected),
        "gradient of all weights, ours against plain": _worst(_flat(gradients), _flat(expected_gradients)),
    }
    for what, worst in found.items():
        print(f"checked: {what}: {worst:.1e} of the largest value")
        if not worst < AGREEMENT:
            raise RuntimeError(f"{what}: {worst:.1e} is above {AGREEMENT}; speeds of different numbers mean nothing")


def _flat(tensors: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])


def check_bfloat16(cases: dict[str, Callable[[], Tensor]]) -> None:
    """Every case gives the logits of torchvision's within what bfloat16 explains; raises RuntimeError where not."""
    expected = cases["torchvision"]().float()
    for name in cases:
        worst = _worst(cases[name]().float(), expected)
        print(f"checked: logits in bfloat16, {name} against torchvision: {worst:.1e} of the largest value")
        if not worst < BFLOAT16_AGREEMENT:
            raise RuntimeError(f"logits of {name} are off by {worst:.1e}, which is above {BFLOAT16_AGREEMENT}")


def main(
    mode: str, *, clips: int, repeats: int, device: torch.device, size: Size = WHOLE, names: tuple[str, ...] = ()
) -> Iterator[Row]:
    """Print agreement, speed, utilisation and peak memory of MViTv2-S, each row as it is known; mode "model" or "train".

    names: of the models, ours first; without them all that NAMES has for the device
    """
    check(size)
    names = names or NAMES[device.type]
    with made({name: (make_case, name, mode, clips, str(device), size) for name in names}, device) as cases:
        if device.type == "cuda" and mode == "model":
            check_bfloat16(cases)
        timings = interleaved(with_matrix_product(cases, device), repeats=repeats, device=device)
    del cases
    others = [name for name in names if name.startswith("torchvision") and not name.endswith(KEPT)]
    theirs = min(others, key=lambda name: timings[name].median)
    print_timings({name: timings[name] for name in names}, baseline=theirs, clips=clips)
    passes = TRAINING_PASSES if mode == "train" else 1
    gmacs = model_summary(load_cfg(CONFIG, size.changes)).gmacs
    shares = print_utilisation(timings, gmacs=gmacs, clips=clips, passes=passes, device=device)
    ours, on_gpu = NAMES[device.type][0], device.type == "cuda"
    speed = _speed_row(mode, clips, device, timings, theirs, size)
    yield speed
    # On a GPU of the two that are compared: each is compiled once more.
    shown = (ours, theirs) if on_gpu else names
    peaks = {name: peak_megabytes(make_case, name, mode, clips, str(device), size, device=device) for name in shown}
    for name, peak in peaks.items():
        print(f"peak memory {name:<24}{peak:>8.0f} MiB{peak / peaks[theirs]:>7.2f} of {theirs}")
    memory = (f"{peaks[ours]:.0f} MiB", f"{theirs} {peaks[theirs]:.0f} MiB", f"{peaks[ours] / peaks[theirs]:.2f}")
    yield Row("its peak memory", *memory)
    if on_gpu:
        return
    yield Row("its model FLOP utilisation", f"{shares[ours]:.0%}", f"{theirs} {shares[theirs]:.0%}", "")
    if kept := timings.get("torchvision" + KEPT):
        other, own = kept.cpu_median, timings[ours].cpu_median
        yield Row(speed.what, speed.ours, f"torchvision{KEPT} {other * 1e3:.1f} ms", f"{other / own:.2f}x")


def _speed_row(mode: str, clips: int, device: torch.device, timings: dict[str, Timing], theirs: str, size: Size) -> Row:
    """Ours as the engine runs it on that device against the better torchvision: CPU time on a CPU, wall on a GPU."""
    ours = NAMES[device.type][0]
    on_gpu = device.type == "cuda"
    own, other = (timings[name].median if on_gpu else timings[name].cpu_median for name in (ours, theirs))
    what = "forward" if mode == "model" else "train step with AdamW"
    goal = GOALS[device.type][mode]
    name = "MViTv2-S 16x224" if size == WHOLE else f"the first {size.blocks} blocks of MViTv2-S"
    title = f"{name} {what}, batch {clips}"
    return Row(title, f"{own * 1e3:.1f} ms", f"{theirs} {other * 1e3:.1f} ms", f"{other / own:.2f}x", goal)
