"""MViTv2-S 16 x 224 against torchvision's `mvit_v2_s`: the same weights, forward or a whole train step."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from bench.timing import interleaved, peak_megabytes, print_timings
from torch import Tensor, nn
from torchvision.models.video import mvit_v2_s

from slowfast.config import load_cfg
from slowfast.engine.load_weights import load_weights
from slowfast.layers.attention import plain_attention
from slowfast.models import build_model

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "Kinetics" / "MVITv2_S_16x4.yaml"
CLIP = (3, 16, 224, 224)
NAMES = ("ours", "ours, plain", "torchvision")
AGREEMENT = 1e-5


def build(name: str) -> nn.Module:
    """The model of that name; all of them get the weights that torchvision draws from one seed."""
    torch.manual_seed(0)
    theirs = mvit_v2_s()
    if name == "torchvision":
        return theirs
    ours = build_model(load_cfg(CONFIG))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "torchvision.pth"
        torch.save(theirs.state_dict(), path)
        load_weights(ours, path)
    return ours


def make_case(name: str, mode: str, clips: int, device: str) -> Callable[[], object]:
    """One forward pass ("model") or one train step with AdamW ("train") of the model `name`; bfloat16 on a GPU."""
    model = build(name).to(device).train(mode == "train")
    x = torch.randn(clips, *CLIP, device=device)
    labels = torch.arange(clips, device=device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True) if mode == "train" else None

    def run() -> None:
        if optimizer is not None:
            optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=x.is_cuda):
            if optimizer is None:
                with torch.inference_mode():
                    model(x)
                return
            loss = F.cross_entropy(model(x).float(), labels)
        loss.backward()
        optimizer.step()

    def run_plain() -> None:
        with plain_attention():
            run()

    return run_plain if name.endswith("plain") else run


def _worst(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()


def check() -> None:
    """Logits of all three models, and gradients of our two paths, agree; raises RuntimeError where they do not."""
    x = torch.randn(1, *CLIP, generator=torch.Generator().manual_seed(1))
    ours, theirs = build("ours").eval(), build("torchvision").eval()
    with torch.no_grad():
        expected = theirs(x)
    logits = ours(x)
    gradients = torch.autograd.grad(logits.square().sum(), list(ours.parameters()))
    with plain_attention():
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


def main(mode: str, *, clips: int, repeats: int, device: torch.device) -> None:
    """Print agreement, speed and peak memory of MViTv2-S; mode "model" or "train"."""
    check()
    cases = {name: make_case(name, mode, clips, str(device)) for name in NAMES}
    print_timings(interleaved(cases, repeats=repeats, device=device), baseline="torchvision", clips=clips)
    del cases
    peaks = {name: peak_megabytes(make_case, name, mode, clips, str(device), device=device) for name in NAMES}
    for name, peak in peaks.items():
        print(f"peak memory {name:<14}{peak:>8.0f} MiB{peak / peaks['torchvision']:>7.2f} of torchvision")
