"""The first batches of a compiled model are computed twice: as compiled and as written. Where they differ, it is not used."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from slowfast.structures.tensors import tensors_in
from slowfast.utils.logging import get_logger

# Of the largest value of an output, and of the length of the gradient: what rounding explains, with room. Compiled code
# rounds to half precision at other places. A wrong kernel is off by far more.
LIMITS = {"float32": (1e-3, 1e-3), "TF32": (0.01, 0.05), "half": (0.05, 0.25)}


class FirstCalls:
    """Stands for the compiled code of `module`, and takes it away again where it is wrong, with a warning.

    Compared once in training, with the gradients of all parameters, and once without gradients. Both sides draw the same
    random numbers, and so does the call that counts. A first batch that is not finite as written decides nothing; one for
    which memory is too short is not compared, and a warning says so.

    required: what is wrong is a ValueError instead (MODEL.COMPILE on)
    """

    def __init__(self, module: nn.Module, compiled: Callable[..., Any], *, required: bool) -> None:
        self._module, self._compiled, self._required = module, compiled, required
        self._compared: set[tuple[bool, bool]] = set()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mode = (self._module.training, torch.is_grad_enabled())
        if mode in self._compared:
            return self._compiled(*args, **kwargs)
        try:
            why = self._compare(mode, args, kwargs)
        except torch.OutOfMemoryError:
            self._compared.add(mode)
            why = ""
            get_logger().warning(
                "the compiled model is not compared with the model as written, which needs more memory than there is: "
                "MODEL.COMPILE off on smaller batches would tell"
            )
        except Exception as error:  # whatever a compiler comes up with
            if self._required:
                raise
            why = (
                f"it raises {type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
            )
        if not why:
            return self._compiled(*args, **kwargs)
        return self._as_written(why, args, kwargs)

    def _compare(self, mode: tuple[bool, bool], args: tuple, kwargs: dict) -> str:
        """How the compiled code is wrong on these arguments; "" where it is not, or nothing can be said."""
        expected, slope = self._outputs(self._module._call_impl, args, kwargs)
        if not all(bool(torch.isfinite(one).all()) for one in expected):
            return ""
        found, found_slope = self._outputs(self._compiled, args, kwargs)
        limit, slope_limit = LIMITS[_rounding(expected)]
        off = max((_off(a, b) for a, b in zip(found, expected, strict=True)), default=0.0)
        turned = _turned(found_slope, slope)
        if not off <= limit:
            return f"its outputs are off by {off:.2g} of the largest (limit {limit:g})"
        if not turned <= slope_limit:
            return f"its gradient is off by {turned:.2g} of its length (limit {slope_limit:g})"
        self._compared.add(mode)
        get_logger().info(
            "the compiled model gives what the model as written does: outputs off by %.1e of the largest%s",
            off,
            f", the gradient by {turned:.1e} of its length" if slope else "",
        )
        return ""

    def _outputs(self, run: Callable[..., Any], args: tuple, kwargs: dict) -> tuple[list[Tensor], list[Tensor]]:
        """All outputs, and the gradients of all parameters where there are some; the random state is put back."""
        devices = sorted({p.device.index for p in self._module.parameters() if p.is_cuda})
        with torch.random.fork_rng(devices):
            outputs = [tensor for _, tensor in tensors_in(run(*args, **kwargs))]
        own = [tensor.detach().clone() for tensor in outputs]  # a CUDA graph overwrites its outputs
        leaves = [p for p in self._module.parameters() if p.requires_grad]
        followed = [tensor for tensor in outputs if tensor.requires_grad]
        if not (followed and leaves and self._module.training):
            return own, []
        total = torch.stack([tensor.float().square().mean() for tensor in followed]).sum()
        slopes = torch.autograd.grad(total, leaves, allow_unused=True)
        return own, [torch.zeros_like(p) if g is None else g for p, g in zip(leaves, slopes, strict=True)]

    def _as_written(self, why: str, args: tuple, kwargs: dict) -> Any:
        what = f"the compiled model is not used, {why}"
        if self._required:
            raise ValueError(f"MODEL.COMPILE is on, but {what}; set MODEL.COMPILE auto or off")
        get_logger().warning("%s; the model runs as written, which is slower (MODEL.COMPILE off does so at once)", what)
        self._module._compiled_call_impl = None
        return self._module(*args, **kwargs)


def _rounding(outputs: Sequence[Tensor]) -> str:
    kinds = {tensor.device.type for tensor in outputs}
    if any(torch.is_autocast_enabled(kind) for kind in kinds) or any(t.dtype.itemsize < 4 for t in outputs):
        return "half"
    return "TF32" if "cuda" in kinds and torch.backends.cuda.matmul.allow_tf32 else "float32"


def _off(found: Tensor, expected: Tensor) -> float:
    if found.shape != expected.shape:
        return float("inf")
    if not expected.numel():
        return 0.0
    largest = max(expected.abs().max().item(), 1e-6)
    return (found.double() - expected.double()).abs().max().item() / largest


def _turned(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """The length of the difference of two gradients, of the length of the second."""
    if len(found) != len(expected):
        return float("inf")
    if not expected:
        return 0.0
    apart = torch.stack([(a.double() - b.double()).square().sum() for a, b in zip(found, expected, strict=True)]).sum()
    length = torch.stack([b.double().square().sum() for b in expected]).sum()
    return (apart / length).sqrt().item() if length else 0.0
