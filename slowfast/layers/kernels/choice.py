"""Where oneDNN does a float32 layer faster on a CPU than PyTorch's own choice (docs/PERFORMANCE.md)."""

import torch
from torch import Tensor


def describe_kernels(device: torch.device, *, autocast: bool) -> str:
    """One line for the log: which kernels the layers choose on this device."""
    attention = "fused attention with the relative positions inside the inner product"
    precision = "bfloat16 autocast, boxes and losses in float32" if autocast else "float32"
    if device.type == "cuda" and not autocast:
        precision += " (MODEL.PRECISION bf16 would use the GPU's matrix units)"
    if device.type == "cuda":
        depthwise = "every depthwise convolution by PyTorch or Triton, whichever is faster when it is first met"
        return f"kernels: {attention}; {precision}, PyTorch's own linear layers, {depthwise}"
    if autocast:
        return f"kernels: {attention}; {precision}"
    onednn = device.type == "cpu" and torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    linear = "large linear layers through oneDNN" if onednn and multiplies_faster() else "PyTorch's own linear layers"
    return f"kernels: {attention}; {precision}, {linear}" + ", depthwise gradients through oneDNN" * onednn


def multiplies_faster() -> bool:
    """True on CPUs where oneDNN's matrix products beat those of MKL, which PyTorch takes for linear layers.

    Measured on AMD: up to twice as fast with AVX-512 (Zen 4, Zen 5); with AVX2 (Zen 3) as fast forward, a quarter slower
    for the gradients of weights.
    """
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def runs_in_onednn(x: Tensor) -> bool:
    """True where the layers of this package may send their work to oneDNN themselves."""
    return may_choose_kernels(x) and torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled


def may_choose_kernels(x: Tensor) -> bool:
    """True where the layers of this package may take another kernel than PyTorch's: float32 on a CPU, outside autocast.

    A compiled, exported or traced graph keeps the plain layers: a compiler chooses for itself (and cannot look into the
    questions asked here, so they would cut its graph), and every runtime knows them.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    return x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
