"""Where oneDNN does a float32 layer faster on a CPU than PyTorch's own choice (docs/PERFORMANCE.md)."""

import torch
from torch import Tensor


def describe_kernels(device: torch.device, *, autocast: bool) -> str:
    """One line for the log: which kernels the layers choose on this device."""
    attention = "fused attention with the relative positions inside the inner product"
    precision = "bfloat16 autocast, boxes and losses in float32" if autocast else "float32"
    if device.type == "cuda" and not autocast:
        precision += " (TRAIN.MIXED_PRECISION True would use the GPU's matrix units)"
    if device.type == "cuda":
        depthwise = "every depthwise convolution by PyTorch or Triton, whichever is faster when it is first met"
        return f"kernels: {attention}; {precision}, PyTorch's own linear layers, {depthwise}"
    if autocast:
        return f"kernels: {attention}; {precision}"
    onednn = device.type == "cpu" and torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    linear = "large linear layers and depthwise gradients through oneDNN" if onednn else "PyTorch's own linear layers"
    return f"kernels: {attention}; {precision}, {linear}"


def runs_in_onednn(x: Tensor) -> bool:
    """True where the layers of this package choose oneDNN themselves: float32 on a CPU, outside autocast.

    A compiled, exported or traced graph keeps the plain layers: a compiler chooses for itself (and cannot look into the
    questions asked here, so they would cut its graph), and every runtime knows them.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    usable = torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    return x.device.type == "cpu" and x.dtype == torch.float32 and usable and not torch.is_autocast_enabled("cpu")
