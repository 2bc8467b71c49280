"""What Inductor generates for an MLP on a pretended H100: with max_autotune_gemm, GELU lies in the epilogue of its product.

There is no GPU: the device's properties are made up, the first Triton template is taken where candidates would be timed,
and what is generated is read, not run. It reaches into Inductor as it is in PyTorch 2.14.
"""

import subprocess
import sys

import pytest
import torch

PROGRAM = """
import sys
from types import SimpleNamespace
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
import torch._inductor.lowering
from torch._inductor.decomposition import select_decomp_table

def mlp(x, first, first_bias, second, second_bias):
    return (F.linear(F.gelu(F.linear(x, first, first_bias)), second, second_bias),)

fake = FakeTensorMode()
with torch.no_grad(), fake:
    shapes = ((524304, 96), (384, 96), (384,), (96, 384), (96,))
    inputs = [torch.empty(shape, device="cuda", dtype=torch.bfloat16) for shape in shapes]
    graph = make_fx(mlp, decomposition_table=select_decomp_table())(*inputs)
graph.graph.eliminate_dead_code()
graph.recompile()

h100 = SimpleNamespace(
    name="NVIDIA H100", major=9, minor=0, total_memory=80 * 2**30, multi_processor_count=132, warp_size=32,
    regs_per_multiprocessor=65536, max_threads_per_multi_processor=2048, max_threads_per_block=1024,
    L2_cache_size=50 * 2**20, shared_memory_per_block=49152, shared_memory_per_block_optin=232448,
    shared_memory_per_multiprocessor=233472,
)
pretended = {
    "is_available": lambda: True, "device_count": lambda: 1, "current_device": lambda: 0, "synchronize": lambda *a: None,
    "get_device_properties": lambda device=None: h100, "get_device_capability": lambda device=None: (9, 0),
    "get_rng_state": lambda *a: torch.zeros(16, dtype=torch.uint8), "set_rng_state": lambda *a, **k: None,
    "_lazy_init": lambda: None, "_exchange_device": lambda i: 0, "_maybe_exchange_device": lambda i: 0,
    "is_bf16_supported": lambda *a, **k: True, "is_initialized": lambda: False,
}
for name, function in pretended.items():
    patch(f"torch.cuda.{name}", function).start()
from torch._dynamo.device_interface import CudaInterface

interface = {
    **pretended, "get_compute_capability": lambda device=None: 90, "get_raw_stream": lambda device=0: 0,
    "exchange_device": lambda device: 0, "maybe_exchange_device": lambda device: 0, "set_device": lambda device: None,
    "is_triton_capable": lambda device=None: True, "raise_if_triton_unavailable": lambda device=None: None,
}
for owner in (CudaInterface, CudaInterface.Worker):
    for name, function in interface.items():
        if hasattr(owner, name):
            setattr(owner, name, staticmethod(function))

import triton
from triton.backends.compiler import GPUTarget

triton.runtime.driver.set_active(SimpleNamespace(
    get_current_target=lambda: GPUTarget("cuda", 90, 32), get_current_device=lambda: 0, get_current_stream=lambda d=0: 0,
    get_active_torch_device=lambda: torch.device("cuda", 0), is_active=lambda: True,
    utils=SimpleNamespace(get_device_properties=lambda d: {"max_shared_mem": 232448, "multiprocessor_count": 132}),
))
import torch._inductor.config as config
from torch._inductor.compile_fx import compile_fx_inner
from torch._inductor.graph import GraphLowering
from torch._inductor.select_algorithm import AlgorithmSelectorCache

def show(self):
    code, _ = self.codegen()
    print("GENERATED")
    print(getattr(code, "value", code))
    raise SystemExit(0)

def first_template(self, name, choices, *args, **options):
    chosen = next((one for one in choices if "triton" in one.name), choices[0])
    return chosen.output_node(), chosen

tuned = {"max_autotune_gemm": True, "max_autotune_gemm_backends": "TRITON"} if sys.argv[1] == "tuned" else {}
with (
    config.patch({**tuned, "compile_threads": 1, "fx_graph_cache": False}), fake, torch.no_grad(),
    patch.object(GraphLowering, "compile_to_module", show),
    patch.object(AlgorithmSelectorCache, "__call__", first_template),
):
    compile_fx_inner(graph, inputs)
"""


def generated(how: str) -> str:
    pytest.importorskip("triton")
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=False)
    assert "GENERATED" in done.stdout, done.stderr[-2000:]
    return done.stdout.split("GENERATED")[1]


def calls(code: str) -> list[str]:
    """What the generated code runs, in order: its own kernels, and those of libraries."""
    found = []
    for line in code.splitlines():
        line = line.strip()
        if line.startswith("extern_kernels."):
            found.append("library")
        elif line.startswith("triton_") and ".run(" in line:
            found.append(line.split(".run(")[0])
    return found


@pytest.mark.slow
@pytest.mark.skipif(torch.__version__[:4] != "2.14", reason="made for the inside of PyTorch 2.14")
def test_gelu_is_a_kernel_of_its_own_unless_products_are_triton_templates():
    usual = calls(generated("usual"))
    assert len(usual) == 3 and usual[0] == usual[2] == "library" and usual[1].startswith("triton_poi")
    code = generated("tuned")
    first, second = calls(code)
    assert first.startswith("triton_tem") and second.startswith("triton_tem")
    kernel = code[code.index(f"def {first}(") : code.index(f"def {second}(")]
    product, gelu, store = (kernel.rindex(word) for word in ("tl.dot(", "erf(", "tl.store("))
    assert product < gelu < store and kernel.count("tl.store(") == 1  # GELU's input is written nowhere
