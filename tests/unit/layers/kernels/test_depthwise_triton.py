"""The Triton kernels without a GPU: their numbers in the interpreter, and that they compile for GPUs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

triton = pytest.importorskip("triton", reason="Triton comes with PyTorch for CUDA")
# Half a unit in the last place; a whole one for bfloat16, which the interpreter cuts off where a GPU rounds.
ROUNDING = {"float32": 3e-6, "bfloat16": 2**-7, "float16": 2**-11}


@pytest.fixture(scope="module")
def deviations(repo_root: Path) -> dict[str, dict[str, float]]:
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(repo_root)}
    if torch.__version__ < (2, 7):
        pytest.skip("the interpreter of torch 2.6's Triton does not run with today's NumPy")
    worker = Path(__file__).with_name("depthwise_worker.py")
    done = subprocess.run(
        [sys.executable, str(worker)], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
def test_interpreted_kernels_give_the_numbers_of_conv3d_in_double_precision(deviations):
    assert len(deviations) == 16
    bad = {
        (case, what): off
        for case, found in deviations.items()
        for what, off in found.items()
        if not off <= ROUNDING[case.rsplit(", ", 1)[1]]
    }
    assert bad == {}


SIZES = ("time", "height", "width", "out_time", "out_height", "out_width", "positions", "steps", "x_clip", "channels")
BLOCKS = {"TAPS": 32, "POSITIONS": 8, "CHANNELS": 32}


@pytest.mark.parametrize(
    ("name", "capability", "kind", "stride"),
    [
        ("forward_kernel", 80, "bf16", (1, 1, 1)),
        ("forward_kernel", 90, "bf16", (1, 2, 2)),
        ("input_gradient_kernel", 80, "fp32", (1, 2, 2)),
        ("input_gradient_kernel", 90, "bf16", (1, 8, 8)),
        ("weight_gradient_kernel", 80, "fp16", (1, 1, 1)),
        ("weight_gradient_kernel", 90, "bf16", (1, 2, 2)),
    ],
)
def test_kernels_compile_without_a_gpu(name, capability, kind, stride, tmp_path, monkeypatch):
    """An error of syntax or types in a kernel cannot wait for the first user with a GPU."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from slowfast.layers.kernels import depthwise_triton

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(depthwise_triton, name)
    steps = dict(zip(("KT", "KH", "KW", "ST", "SH", "SW"), (3, 3, 3, *stride), strict=True))
    constants = {key: value for key, value in (steps | BLOCKS).items() if key in kernel.arg_names}
    pointers = {"partial": "*fp32"} | dict.fromkeys(("x", "grad", "weight", "out"), f"*{kind}")
    types = pointers | dict.fromkeys(SIZES, "i32") | dict.fromkeys(constants, "constexpr")
    source = ASTSource(kernel, {argument: types[argument] for argument in kernel.arg_names}, constants)
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32))
    assert f".target sm_{capability}" in compiled.asm["ptx"] and len(compiled.asm["cubin"]) > 1000


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_numbers_on_a_gpu(dtype):
    from tests.unit.layers.kernels.depthwise_worker import CASES, check

    for name, case in CASES.items():
        found = check(*case, dtype, "cuda")
        assert max(found.values()) <= ROUNDING[str(dtype).removeprefix("torch.")], (name, found)


@pytest.mark.gpu
@needs_gpu
def test_a_cuda_graph_holds_our_kernels(caplog):
    from slowfast.layers.kernels.depthwise import depthwise_conv
    from slowfast.layers.kernels.depthwise_check import TRITON

    x = torch.randn(2, 4, 14, 14, 96, device="cuda", dtype=torch.bfloat16)
    weight = torch.randn(96, 1, 3, 3, 3, device="cuda", dtype=torch.bfloat16)
    expected = depthwise_conv(x, weight, (1, 2, 2))
    assert TRITON.refused == ""
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = depthwise_conv(x, weight, (1, 2, 2))
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(out, expected) and "is recorded before" not in caplog.text
