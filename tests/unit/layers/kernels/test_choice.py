"""One switchboard: what is taken where, what `plain()` turns off, and the line that tells."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from slowfast.layers import kernels
from slowfast.layers.kernels import choice, hidden_layer, linear_layer, projection, queries_torch, recompute
from slowfast.layers.kernels.depthwise import convolution
from slowfast.layers.mvit_block import BlockSpec, MultiScaleBlock

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def use():
    """Sets MODEL.KERNELS and MODEL.DEPTHWISE until the test ends."""
    yield kernels.use
    kernels.use("measured")


@pytest.fixture
def avx512(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")


@pytest.mark.parametrize(
    ("capability", "faster"), [("AVX512", True), ("AVX512_VNNI", True), ("AVX2", False), ("DEFAULT", False)]
)
def test_onednn_multiplies_where_there_is_avx512(monkeypatch, capability, faster):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert choice.multiplies_faster() is faster


# ---------------------------------------------------------------------------------------------- the table


def test_nothing_is_on_where_it_was_not_measured(use):
    """On a GPU the depthwise kernels were measured, and nothing else that it can run; on a CPU all that it can run was."""
    taken = {kind: {kernel.what for kernel in choice.KERNELS if choice.takes(kernel, kind)} for kind in (CPU, CUDA)}
    assert taken[CUDA] == {choice.TRITON_DEPTHWISE.what} and len(taken[CPU]) == 7
    assert choice.reads_seen_tokens(CPU) and choice.reads_seen_tokens(torch.device("meta"))
    assert not choice.reads_seen_tokens(CUDA) and not kernels.replays_graphs(CUDA)
    assert choice.TRITON_DEPTHWISE.what not in taken[CPU]
    use("all")
    assert choice.reads_seen_tokens(CUDA) and kernels.replays_graphs(CUDA) and not kernels.replays_graphs(CPU)
    assert choice.takes(choice.TRITON_DEPTHWISE, CUDA) and not choice.takes(choice.LINEAR, CUDA)
    assert not choice.takes(choice.TRITON_DEPTHWISE, CPU)
    with kernels.plain():
        assert not any(choice.takes(kernel, kind) for kernel in choice.KERNELS for kind in (CPU, CUDA))
    use("plain")
    assert not any(choice.takes(kernel, kind) for kernel in choice.KERNELS for kind in (CPU, CUDA))


def test_a_depthwise_convolution_on_a_gpu_is_our_operator_unless_asked_otherwise(use, monkeypatch):
    class OnGpu:  # what the question reads of a tensor
        device, dtype = CUDA, torch.float32

    assert choice.has_depthwise_operator(OnGpu())
    use("plain")
    assert not choice.has_depthwise_operator(OnGpu())
    use("all")
    assert choice.has_depthwise_operator(OnGpu())
    use("measured", "torch")
    assert not choice.has_depthwise_operator(OnGpu())
    use("plain", "triton")
    assert not choice.has_depthwise_operator(OnGpu()) and choice.TRITON.required
    use("measured")
    assert not choice.TRITON.required
    monkeypatch.setattr(OnGpu, "dtype", torch.float64)
    assert not choice.has_depthwise_operator(OnGpu())
    monkeypatch.setattr(OnGpu, "dtype", torch.float32)
    monkeypatch.setattr(choice, "_inside_export", True)
    assert not choice.has_depthwise_operator(OnGpu())


def test_unknown_settings_name_the_known_ones(use):
    with pytest.raises(ValueError, match=r"one of \('measured', 'all', 'plain'\), got 'fast' \(MODEL.KERNELS\)"):
        use("fast")
    with pytest.raises(ValueError, match=r"one of \('auto', 'triton', 'torch'\), got 'fast' \(MODEL.DEPTHWISE\)"):
        use("all", "fast")
    assert choice._setting == "measured" and choice._depthwise == "auto"


# -------------------------------------------------------------------------------------------- one switch


def make_block(dtype: torch.dtype = torch.float32) -> tuple[MultiScaleBlock, torch.Tensor, tuple[int, int, int]]:
    """A block that meets every way: gaps between the windows of its keys, and strides of its queries."""
    torch.manual_seed(0)
    grid = (2, 12, 16)
    spec = BlockSpec(16, 32, 32, 2, grid, (1, 2, 2), (1, 4, 4), (3, 3, 3), (3, 3, 3))
    options = dict.fromkeys(("rel_pos_temporal", "rel_pos_spatial", "residual_pooling", "class_token"), True)
    block = MultiScaleBlock(spec, **options).to(dtype)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return block, torch.randn(2, 1 + 2 * 12 * 16, 16, dtype=dtype, requires_grad=True), grid


# Where each way begins: a module or class, and a name in it.
TRAINING = {
    "fused attention": (F, "scaled_dot_product_attention"),
    "seen tokens": (projection, "places_seen"),
    "recomputation": (recompute, "checkpoint"),
    "a norm made where it is read": (recompute, "Normed"),
    "linear through oneDNN": (linear_layer, "as_image"),
    "layers of one norm": (projection, "layers_of_norm"),
    "biases without copies": (queries_torch._AppendBiases, "apply"),
    "depthwise gradient": (convolution._DepthwiseConvCpu, "apply"),
    "GELU's gradient": (hidden_layer._GeluLinear, "apply"),
    "depthwise operator": (convolution, "depthwise_conv_of_tokens"),
}
INFERENCE = {
    "fused attention": (F, "scaled_dot_product_attention"),
    "seen tokens": (projection, "seen_tokens"),
    "a norm made where it is read": (recompute, "Normed"),
    "linear through oneDNN": (linear_layer, "as_image"),
    "GELU in place": (torch.ops.aten, "gelu_"),
    "MLP in parts": (hidden_layer, "_in_parts"),
    "depthwise operator": (convolution, "depthwise_conv_of_tokens"),
}


def watch(monkeypatch, ways: dict[str, tuple[object, str]]) -> set[str]:
    """A set that every way puts its name into when it is taken. All sizes count as large."""
    for threshold in ("_LARGE_PRODUCT", "_WORTH_RECOMPUTING", "_KEPT_BY_MALLOC"):
        monkeypatch.setattr(choice, threshold, 1000)
    reached: set[str] = set()
    for way, (owner, name) in ways.items():
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *a, way=way, real=real, **k: reached.add(way) or real(*a, **k))
    return reached


@pytest.mark.parametrize("training", [True, False])
def test_inside_plain_no_kernel_is_reached(monkeypatch, avx512, use, training):
    ways = TRAINING if training else INFERENCE
    reached = watch(monkeypatch, ways)
    block, x, grid = make_block()

    def run() -> set[str]:
        reached.clear()
        with torch.set_grad_enabled(training):
            out = block(x, grid)[0]
        if training:
            out.sum().backward()
        return set(reached)

    assert run() == set(ways) - {"depthwise operator"}
    monkeypatch.setattr(choice, "TRITON_DEPTHWISE", choice.Kernel("operator", ("cpu",), measured_on=("cpu",)))
    assert run() == set(ways) - {"depthwise gradient"}
    with kernels.plain():
        assert run() == set()
    use("plain")
    assert run() == set()
    use("all")
    assert run() != set()


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
def test_kernels_and_definitions_agree(monkeypatch, avx512, dtype, rounding):
    watch(monkeypatch, {})
    block, x, grid = make_block(dtype)
    results = []
    for scope in (nullcontext, kernels.plain):
        with scope():
            out = block(x, grid)[0]
            gradients = torch.autograd.grad(
                out, (x, *block.parameters()), torch.cos(torch.arange(out.numel()).to(dtype)).view_as(out)
            )
            with torch.no_grad():
                results.append((out.detach(), block(x, grid)[0], *gradients))
    largest = max(expected.abs().max() for expected in results[1])
    for found, expected in zip(*results, strict=True):
        size = expected.abs().max()
        # What all keys share cancels in the softmax: such a gradient is zero but for rounding on both paths.
        assert (found - expected).abs().max() <= rounding * (size if size > 1e-4 * largest else largest)


def test_plain_is_a_scope_that_can_be_entered_twice():
    with pytest.raises(KeyError), kernels.plain():
        with kernels.plain():
            assert kernels.is_plain()
        assert kernels.is_plain()
        raise KeyError
    assert not kernels.is_plain()


# ----------------------------------------------------------------------------------------------- the line


def test_the_line_tells_the_choice_of_device_and_precision(monkeypatch, avx512):
    line = kernels.describe(CPU, autocast=False)
    assert line.startswith("kernels: fused attention with the relative positions inside the inner product; float32, ")
    assert "large linear layers through oneDNN, depthwise gradients through oneDNN, GELU" in line
    assert "never measured" not in line and "Triton" not in line
    assert kernels.describe(CPU, autocast=True).endswith(
        "float32, PyTorch's own linear layers and convolutions, keys and values of seen tokens only"
    )
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    line = kernels.describe(CPU, autocast=False)
    assert "float32, PyTorch's own linear layers, depthwise gradients through oneDNN, GELU" in line
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    line = kernels.describe(CPU, autocast=False)
    assert "PyTorch's own linear layers" in line and "oneDNN" not in line


def test_the_line_tells_what_was_not_measured_and_how_to_turn_it_on(use, monkeypatch):
    line = kernels.describe(CUDA, autocast=True)
    assert "bfloat16 autocast" in line and "matrix units" not in line
    own, off = line.split("; off, never measured on cuda: ")
    assert (
        own.endswith("PyTorch's own linear layers, " + choice.TRITON_DEPTHWISE.what) and choice.WIDE_CUDNN.what in off
    )
    assert off.endswith("keys and values of seen tokens only, CUDA graphs in testing (MODEL.KERNELS all turns it on)")
    assert "MODEL.PRECISION bf16 would use" in kernels.describe(CUDA, autocast=False)
    unmeasured = replace(choice.TRITON_DEPTHWISE, measured_on=())
    with monkeypatch.context() as patch:
        patch.setattr(choice, "KERNELS", (unmeasured,))
        line = kernels.describe(CUDA, autocast=True)
        assert "PyTorch's own linear layers and convolutions; off, never measured on cuda: depthwise conv" in line
        assert line.endswith("before they are used (MODEL.KERNELS all turns it on)")
    use("all")
    line = kernels.describe(CUDA, autocast=True)
    assert "never measured" not in line and "CUDA graphs" in line and "depthwise convolutions by Triton" in line
    use("measured", "torch")
    line = kernels.describe(CUDA, autocast=True)
    assert "in float32, PyTorch's own linear layers and convolutions; off" in line
    use("plain")
    assert kernels.describe(CUDA, autocast=True) == (
        "kernels: plain definitions, slow and large (MODEL.KERNELS plain); "
        "bfloat16 autocast, boxes and losses in float32"
    )
