"""Whole networks: their numbers and gradients in each precision against float64, and where a step makes the host wait."""

import warnings
from collections.abc import Callable
from typing import TypeVar

import torch
from bench import classifiers
from bench.detector import TrainStep
from bench.rows import Row
from gpu_steps.report import Options, Report
from gpu_steps.setups import detector_setup, in_float64
from torch import Tensor, nn

from slowfast.config import load_cfg
from slowfast.models.build import build_model, input_size
from slowfast.structures.tensors import tensors_in

Result = TypeVar("Result")
# Of the largest output, and of the length of the gradient: what rounding through 16 blocks explains, with much room.
LIMITS = {"float32": (1e-4, 1e-3), "bfloat16": (0.05, 0.25)}
_WAIT = "synchronizing CUDA operation"  # of the warning that PyTorch gives for each wait


def precision(options: Options, report: Report) -> None:
    """The detector and the classifier on one clip: float32 and bfloat16 against plain definitions in float64."""
    size = classifiers.SMALL if options.tiny else classifiers.WHOLE
    configs = {
        "detector": detector_setup(options, clips=1).cfg,
        "classifier": load_cfg(classifiers.CONFIG, size.changes),
    }
    for name, cfg in configs.items():
        torch.manual_seed(0)
        model = build_model(cfg).to(options.device).train()
        for module in model.modules():
            if isinstance(module, nn.Dropout) or type(module).__name__ == "DropPath":
                module.eval()  # it draws, and each pass would draw anew
        clip = torch.randn(1, 3, *input_size(cfg), generator=torch.Generator().manual_seed(1)).to(options.device)
        compare_precisions(name, model, clip, report)


def compare_precisions(name: str, model: nn.Module, clip: Tensor, report: Report) -> None:
    """A row for each precision, and a fault where it is further off than LIMITS. clip (1, 3, T, H, W) float32."""
    with in_float64():
        exact, exact_gradient = _passes(model.double(), clip.double(), None)
    model.float()
    for kind, (limit, gradient_limit) in LIMITS.items():
        dtype = torch.bfloat16 if kind == "bfloat16" else None
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            found, gradient = _passes(model, clip, dtype)
        off = max((_largest_difference(a, b) for a, b in zip(found, exact, strict=True)), default=float("nan"))
        turned = ((gradient.double() - exact_gradient).norm() / exact_gradient.norm()).item()
        report.value(f"{name} {kind}", {"outputs": off, "gradient": turned})
        report.row(Row(f"{name}, {kind} against float64", f"outputs off {off:.1e}", f"gradient off {turned:.1e}", "",
                       f"{limit:g}, {gradient_limit:g}"))  # fmt: skip
        if not (off <= limit and turned <= gradient_limit):
            report.fault(f"{name} in {kind}: outputs off by {off:.1e} (limit {limit:g}), gradient by {turned:.1e} "
                         f"(limit {gradient_limit:g})")  # fmt: skip


def _passes(model: nn.Module, clip: Tensor, dtype: torch.dtype | None) -> tuple[list[Tensor], Tensor]:
    """All outputs, and the gradient of the mean of their squares by all weights, in one row."""
    model.zero_grad(set_to_none=True)
    with torch.autocast(clip.device.type, dtype or torch.bfloat16, enabled=dtype is not None):
        outputs = [tensor for _, tensor in tensors_in(model(clip))]
    torch.stack([tensor.to(clip.dtype).square().mean() for tensor in outputs]).sum().backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return [tensor.detach() for tensor in outputs], gradient


def _largest_difference(found: Tensor, exact: Tensor) -> float:
    return ((found.double() - exact).abs().max() / exact.abs().max()).item()


def waits(options: Options, report: Report) -> None:
    """Each part of a training step by itself. Only the matching of people may wait: it needs its costs on the host."""
    setup = detector_setup(options, clips=4, changes=("MODEL.COMPILE", "off"))
    step = TrainStep(setup)
    for _ in range(2):
        step()
    parts: dict[str, int] = {}
    device = torch.device(options.device)
    predictions, parts["forward"] = waits_of(step.predict, device)
    loss, parts["losses"] = waits_of(lambda: step.loss(predictions), device)
    _, parts["backward"] = waits_of(lambda: loss.backward(), device)
    _, parts["optimiser"] = waits_of(lambda: step.optimizer.step(), device)
    report.value("waits", parts)
    words = ", ".join(f"{name} {count}" for name, count in parts.items())
    report.row(Row("waits of the host in a training step", words, "", "", "0, but for the losses"))
    for name, count in parts.items():
        if count and name != "losses":
            report.fault(f"the {name} made the host wait {count} times for the device, where it need not")


def waits_of(run: Callable[[], Result], device: torch.device) -> tuple[Result, int]:
    """What `run()` returns, and how often the host waited for the device meanwhile; a CPU is never waited for."""
    on_gpu = device.type == "cuda"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if on_gpu:
            torch.cuda.set_sync_debug_mode("warn")
        try:
            result = run()
        finally:
            if on_gpu:
                torch.cuda.set_sync_debug_mode("default")
    return result, sum(_WAIT in str(one.message) for one in caught)
