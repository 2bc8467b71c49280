"""Which way each operation of this package is computed: decided here, for all of them.

Four kinds of ways give the same numbers up to rounding:

definitions:  what the papers write, in PyTorch's plainest operations. `with plain():` takes them everywhere.
formulations: other PyTorch operations, chosen for the memory they save on every device: attention without a (Q, K) matrix
              of our own, cheap results made again in the backward pass.
exported:     operations that other runtimes compute fast, taken inside `with for_export():` only.
kernels:      a backend, or a way to use memory, that one kind of device does faster (`KERNELS`). One that was never
              measured on a kind of device is off there; MODEL.KERNELS all turns it on.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slowfast.layers.kernels.depthwise.check import TRITON, poolings_of

SETTINGS = ("measured", "all", "plain")  # of MODEL.KERNELS
DEPTHWISE = ("auto", "triton", "torch")  # of MODEL.DEPTHWISE

# Multiply-adds below which the set-up of a detour costs more than its kernel saves.
_LARGE_PRODUCT = 2**22
# Elements of the input below which the bookkeeping of a recomputation costs more than the memory is worth.
_WORTH_RECOMPUTING = 2**19
# Channels of a head up to which cuDNN's attention has a backward pass in all versions.
_WIDEST_CUDNN = 128
# Elements of a float32 tensor up to which malloc (glibc's, at best) keeps its memory: 32 MB. Larger ones are given back,
# and on a CPU asking the system again costs as much as the arithmetic on them.
_KEPT_BY_MALLOC = 2**23


@dataclass(frozen=True)
class Kernel:
    """A way that was chosen for a kind of device.

    what:         in words, for the log
    runs_on:      kinds of device that can run it
    measured_on:  kinds of device where it was compared with the definition, in numbers and in time (docs/PERFORMANCE.md)
    float32_only: not taken for other types, nor under autocast
    """

    what: str
    runs_on: tuple[str, ...]
    measured_on: tuple[str, ...]
    float32_only: bool = True


LINEAR = Kernel("large linear layers through oneDNN", ("cpu",), measured_on=("cpu",))
DEPTHWISE_GRADIENT = Kernel("depthwise gradients through oneDNN", ("cpu",), measured_on=("cpu",))
GELU_IN_PLACE = Kernel("GELU and its gradient in place", ("cpu",), measured_on=("cpu",))
PROJECTIONS = Kernel("queries, keys and values of one norm with one gradient", ("cpu",), measured_on=("cpu",))
QUERIES_ON_CPU = Kernel("biases of the queries without copies of them, in training", ("cpu",), measured_on=("cpu",))
MLP_IN_PARTS = Kernel("large MLPs in parts when nothing is trained", ("cpu",), measured_on=("cpu",))
TRITON_DEPTHWISE = Kernel(
    "depthwise convolutions by Triton, compared with float64 before they are used",
    ("cuda",),
    measured_on=("cuda",),
    float32_only=False,
)
QUERIES = Kernel("norm and biases of the queries in one Triton kernel", ("cuda",), measured_on=(), float32_only=False)
# Its backward pass is made for at most 128 channels in some versions of cuDNN, and PyTorch asks for it all the same.
WIDE_CUDNN = Kernel("cuDNN's attention in training above 128 channels", ("cuda",), measured_on=(), float32_only=False)
# On a GPU its gradient adds with atomics, in another order in every run.
SEEN_TOKENS = Kernel("keys and values of seen tokens only", ("cpu", "cuda"), measured_on=("cpu",), float32_only=False)
GRAPHS = Kernel("CUDA graphs in testing", ("cuda",), measured_on=(), float32_only=False)
KERNELS = (
    LINEAR,
    DEPTHWISE_GRADIENT,
    GELU_IN_PLACE,
    MLP_IN_PARTS,
    PROJECTIONS,
    QUERIES_ON_CPU,
    TRITON_DEPTHWISE,
    QUERIES,
    WIDE_CUDNN,
    SEEN_TOKENS,
    GRAPHS,
)

_setting = "measured"
_depthwise = "auto"
_inside_plain = False
_inside_export = False


def use(setting: str, depthwise: str = "auto") -> None:
    """Set MODEL.KERNELS and MODEL.DEPTHWISE for this process.

    setting:   "measured", "all" (also kernels never measured on a device) or "plain"
    depthwise: "auto" (Triton on a GPU, PyTorch where its kernels fail), "triton" (a failure is an error) or "torch"
    """
    global _setting, _depthwise
    if setting not in SETTINGS:
        raise ValueError(f"kernels must be one of {SETTINGS}, got {setting!r} (MODEL.KERNELS)")
    if depthwise not in DEPTHWISE:
        raise ValueError(f"depthwise must be one of {DEPTHWISE}, got {depthwise!r} (MODEL.DEPTHWISE)")
    _setting, _depthwise = setting, depthwise
    TRITON.required = depthwise == "triton"


@contextmanager
def plain() -> Iterator[None]:
    """Every operation computes its definition inside the block: the reference in a test, or what a counter can count."""
    global _inside_plain
    before, _inside_plain = _inside_plain, True
    try:
        yield
    finally:
        _inside_plain = before


def is_plain() -> bool:
    return _inside_plain or _setting == "plain"


@contextmanager
def for_export() -> Iterator[None]:
    """Attention and pooling as operations that ONNX runtimes compute fast, inside the block; to trace a graph in."""
    global _inside_export
    before, _inside_export = _inside_export, True
    try:
        yield
    finally:
        _inside_export = before


def is_for_export() -> bool:
    return _inside_export and not is_plain()


def takes(kernel: Kernel, device: torch.device) -> bool:
    """True where this kernel may be taken on this kind of device."""
    if is_plain() or device.type not in kernel.runs_on:
        return False
    if kernel is TRITON_DEPTHWISE and _depthwise != "auto":
        return _depthwise == "triton"
    return _setting == "all" or device.type in kernel.measured_on


# ------------------------------------------------------------------------------------------- formulations


def defers_norm() -> bool:
    """True where what reads a norm makes its output itself, so that nothing keeps it."""
    return not (is_plain() or _in_a_graph())


def recomputes(x: Tensor) -> bool:
    """True where the results between x and what is made of it are worth making again in the backward pass.

    A compiler decides for itself what to keep. It is asked about first: a question about sizes would fix them in an
    exported graph.
    """
    if torch.compiler.is_compiling() or is_plain() or not torch.is_grad_enabled():
        return False
    return x.requires_grad and x.numel() >= _WORTH_RECOMPUTING


# ------------------------------------------------------------------------------------------------ kernels


def multiplies_in_onednn(x: Tensor, width: int) -> bool:
    """True where the product of x (..., K) with a matrix (width, K) runs as a 1 x 1 convolution."""
    return _eager_float32(x) and takes(LINEAR, x.device) and _has_onednn() and multiplies_faster() and _large(x, width)


def multiplies_faster() -> bool:
    """True on CPUs where oneDNN's matrix products beat those of MKL, which PyTorch takes for linear layers.

    Measured on AMD: up to twice as fast with AVX-512 (Zen 4, Zen 5); with AVX2 (Zen 3) as fast forward, a quarter slower
    for the gradients of weights.
    """
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def overwrites_gelu_input(x: Tensor) -> bool:
    """True without gradients where fresh memory of the size of a hidden layer costs more than GELU itself."""
    return _eager_float32(x) and takes(GELU_IN_PLACE, x.device) and not torch.is_grad_enabled()


def has_own_gelu_gradient(x: Tensor, width: int) -> bool:
    """True in training where GELU of x (..., K) and the layer to `width` channels behind it have one gradient of ours."""
    return _eager_float32(x) and takes(GELU_IN_PLACE, x.device) and torch.is_grad_enabled() and _large(x, width)


def has_own_projection_gradient(x: Tensor) -> bool:
    """True in training where the layers that read a norm of x (..., K) have one gradient of ours, and keep x alone."""
    return _eager_float32(x) and takes(PROJECTIONS, x.device) and recomputes(x)


def parts_of_mlp(x: Tensor, hidden: int) -> int:
    """In how many parts the hidden layer of x (..., K) is made, `hidden` channels wide: 1 where it is small."""
    if not _eager_float32(x) or not takes(MLP_IN_PARTS, x.device) or torch.is_grad_enabled():
        return 1
    elements = x.numel() // x.shape[-1] * hidden
    return 1 if elements <= _KEPT_BY_MALLOC else math.ceil(2 * elements / _KEPT_BY_MALLOC)


def has_own_depthwise_gradient(x: Tensor, weight: Tensor, stride: tuple[int, int, int]) -> bool:
    """True in training where the depthwise convolution has gradients of ours, which are sums over time steps."""
    wants_gradient = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    if not (wants_gradient and stride[0] == 1 and all(size % 2 for size in weight.shape[2:])):
        return False
    return _eager_float32(x) and takes(DEPTHWISE_GRADIENT, x.device) and _has_onednn()


def has_depthwise_operator(x: Tensor) -> bool:
    """True where the depthwise convolution is our operator, which runs our Triton kernels.

    A compiler sees an operator that it does not look into. Exported and traced graphs must be understood by every
    runtime, and double precision is for comparing with the definition. An export is what `for_export` encloses:
    torch.compiler.is_exporting() says yes inside every compiled graph, too, in PyTorch 2.8 to 2.11.
    """
    if _inside_export or torch.jit.is_tracing():
        return False
    return takes(TRITON_DEPTHWISE, x.device) and x.dtype != torch.float64


def check_depthwise(model: nn.Module, device: torch.device, dtype: torch.dtype) -> str:
    """Compare the Triton kernels that `model` will meet with float64 in this process, where it takes them.

    dtype: of the activations -> what is wrong, "" for nothing. The first run of a model makes up for what was left out.
    """
    if not takes(TRITON_DEPTHWISE, device):
        return ""
    return TRITON.check(poolings_of(model, dtype, closed=reads_seen_tokens(device)), device)


def refuse_depthwise(why: str) -> None:
    """Take PyTorch's depthwise convolutions from now on. Raises ValueError where MODEL.DEPTHWISE is triton."""
    TRITON.refuse(why)


def reads_seen_tokens(device: torch.device) -> bool:
    """True where keys and values are projected from the tokens that lie in a window of their pooling, and no others."""
    return takes(SEEN_TOKENS, device) or (device.type not in SEEN_TOKENS.runs_on and not is_plain())


def replays_graphs(device: torch.device) -> bool:
    """True where testing records the compiled model as a CUDA graph and replays it."""
    return takes(GRAPHS, device)


def appends_by_products(q: Tensor, tables: Sequence[Tensor | None]) -> bool:
    """True where pooled queries are normed and get their biases by products that read them where they lie.

    On a GPU the copies of an einsum are a third of what those steps move; a CPU's time is elsewhere. For positions along all
    three axes; other runtimes are fast at other operations.
    """
    if is_plain() or _inside_export or torch.jit.is_tracing() or any(table is None for table in tables):
        return False
    return q.device.type == "cuda"


def appends_in_one_kernel(q: Tensor, tables: Sequence[Tensor | None]) -> bool:
    """True where pooled queries are normed, and their biases laid beside them, by an operator of ours.

    It is made for positions along all three axes. It is not taken in exported and traced graphs, which every runtime must
    understand, nor in double precision.
    """
    if _inside_export or torch.jit.is_tracing() or any(table is None for table in tables):
        return False
    return takes(QUERIES, q.device) and q.dtype != torch.float64


def appends_without_copies(q: Tensor, tables: Sequence[Tensor | None]) -> bool:
    """True in training on a CPU where the same is done by one function with a gradient of ours.

    For positions along all three axes. Without gradients an einsum for each axis is as fast.
    """
    if _inside_export or not torch.is_grad_enabled() or any(table is None for table in tables):
        return False
    return _eager_float32(q) and takes(QUERIES_ON_CPU, q.device)


def keeps_cudnn_from(width: int, device: torch.device) -> bool:
    """True where attention that is `width` channels wide must not be cuDNN's, which PyTorch prefers on some GPUs."""
    if device.type != "cuda" or width <= _WIDEST_CUDNN or not torch.is_grad_enabled():
        return False
    return not takes(WIDE_CUDNN, device)


def _in_a_graph() -> bool:
    """True while a graph is compiled, exported or traced: a compiler chooses for itself, and cannot look into questions
    asked of a CPU, so they would cut its graph; and every runtime knows the plain layers."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def _eager_float32(x: Tensor) -> bool:
    if _in_a_graph():
        return False
    return x.dtype == torch.float32 and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def _large(x: Tensor, width: int) -> bool:
    return x.numel() * width >= _LARGE_PRODUCT


def _has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and bool(torch.backends.mkldnn.enabled)


# ------------------------------------------------------------------------------------------------ the log


def describe(device: torch.device, *, autocast: bool) -> str:
    """One line for the log: which kernels the layers take on this device, which ones not, and how to turn those on."""
    precision = "bfloat16 autocast, boxes and losses in float32" if autocast else "float32"
    if device.type == "cuda" and not autocast:
        precision += " (MODEL.PRECISION bf16 would use the GPU's matrix units)"
    if is_plain():
        return f"kernels: plain definitions, slow and large (MODEL.KERNELS plain); {precision}"
    here = [kernel for kernel in KERNELS if _can_run(kernel, device, autocast)]
    taken = [kernel.what for kernel in here if takes(kernel, device)]
    left = [kernel.what for kernel in here if not takes(kernel, device)]
    linear, convolutions = LINEAR.what in taken, {DEPTHWISE_GRADIENT.what, TRITON_DEPTHWISE.what} & set(taken)
    own = "" if linear else f"PyTorch's own linear layers{'' if convolutions else ' and convolutions'}"
    attention = "fused attention with the relative positions inside the inner product"
    line = f"kernels: {attention}; " + ", ".join(filter(None, (precision, own, *taken)))
    if left:
        line += f"; off, never measured on {device.type}: {', '.join(left)} (MODEL.KERNELS all turns it on)"
    return line


def _can_run(kernel: Kernel, device: torch.device, autocast: bool) -> bool:
    if device.type not in kernel.runs_on or (autocast and kernel.float32_only):
        return False
    if kernel is LINEAR:
        return _has_onednn() and multiplies_faster()
    if kernel is TRITON_DEPTHWISE:
        return _depthwise != "torch"
    return kernel is not DEPTHWISE_GRADIENT or _has_onednn()
