"""Where oneDNN does a float32 layer faster on a CPU than PyTorch's own choice (docs/PERFORMANCE.md)."""

import torch
from torch import Tensor


def describe_kernels(device: torch.device, *, autocast: bool) -> str:
    """One line for the log: which kernels the layers choose on this device."""
    attention = "fused attention with the relative positions inside the inner product"
    precision = "bfloat16 autocast, boxes and losses in float32" if autocast else "float32"
    if device.type == "cuda":
        depthwise = "every depthwise convolution by PyTorch or Triton, whichever is faster when it is first met"
        return f"kernels: {attention}; {precision}, PyTorch's own linear layers, {depthwise}"
    if autocast:
        return f"kernels: {attention}; {precision}"
    onednn = device.type == "cpu" and torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    linear = "large linear layers and depthwise gradients through oneDNN" if onednn else "PyTorch's own linear layers"
    return f"kernels: {attention}; {precision}, {linear}"


# PyTorch 2.6 cannot tell an export from any other compilation: there a compiled graph keeps the plain layers, too.
_is_exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)


def must_stay_plain() -> bool:
    """True while a graph is exported or traced, which every runtime must understand."""
    return _is_exporting() or torch.jit.is_tracing()


def runs_in_onednn(x: Tensor) -> bool:
    """True where the layers of this package choose oneDNN themselves: float32 on a CPU, outside autocast.

    An exported or traced graph keeps the plain layers, which every runtime knows.
    """
    if must_stay_plain():
        return False
    usable = torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    return x.device.type == "cpu" and x.dtype == torch.float32 and usable and not torch.is_autocast_enabled("cpu")
