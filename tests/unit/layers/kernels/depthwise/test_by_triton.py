"""The Triton kernels without a GPU: their numbers in the interpreter, and that they compile for GPUs."""

import json
import os
import re
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
    worker = Path(__file__).with_name("worker.py")
    done = subprocess.run(
        [sys.executable, str(worker)], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    if "only 0-dimensional arrays can be converted" in done.stderr:
        pytest.skip("Triton's interpreter, up to 3.6 of torch 2.11, does not run with NumPy 2.4")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
def test_interpreted_kernels_give_the_numbers_of_conv3d_in_double_precision(deviations):
    assert len(deviations) == 23
    bad = {
        (case, what): off
        for case, found in deviations.items()
        for what, off in found.items()
        if not off <= ROUNDING[case.rsplit(", ", 1)[1]]
    }
    assert bad == {}


SIXTEENS = ("channels", "group")
TENSORS = {"x": 1, "grad": 1, "weight": 0, "out": 1, "partial": 0}  # 1: of the type of the activations
# A multiprocessor has 65536 registers: three programs of 8 warps with up to 80 each; with Triton up to 3.6 (torch 2.11)
# two of the input's gradient.
REGISTERS = {"forward": 80, "input_gradient": 80 if torch.__version__ >= (2, 14) else 96, "weight_gradient": 80}
CASES = {"forward": ("bf16", 1), "input_gradient": ("bf16", 2), "weight_gradient": ("bf16", 1)}


@pytest.mark.long
@pytest.mark.parametrize("capability", [80, 90, 100])
@pytest.mark.parametrize("name", REGISTERS)
def test_kernels_compile_without_a_gpu_and_keep_their_numbers_in_registers(name, capability, tmp_path, monkeypatch):
    """An error of syntax or types in a kernel cannot wait for the first user with a GPU."""
    from slowfast.layers.kernels.depthwise import by_triton

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kind, stride = CASES[name]
    kernel = getattr(by_triton, f"{name}_kernel")
    constants = {
        "KT": 3,
        "KH": 3,
        "KW": 3,
        "SH": stride,
        "SW": stride,
        "TAPS": 32,
        "CHANNELS": 32,
        "HEAD": 96,
        "KERNELS": 192,
    }
    constants = {key: value for key, value in constants.items() if key in kernel.arg_names}
    constants["POSITIONS"] = by_triton.POSITIONS[name]
    spilled, registers = compiled(kernel, constants, kind, capability, by_triton.WARPS, tmp_path)
    assert spilled == 0 and 20 < registers <= REGISTERS[name]


def compiled(kernel, constants: dict, kind: str, capability: int, warps: int, folder: Path) -> tuple[int, int]:
    """Bytes of numbers that did not fit into registers, and registers of a thread, as ptxas tells. Sizes are told to be
    multiples of 16 where those of MViT are, as Triton finds out at a launch."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = kernel.arg_names
    types = {name: f"*{kind if of_activations else 'fp32'}" for name, of_activations in TENSORS.items()}
    signature = {name: types.get(name, "constexpr" if name in constants else "i32") for name in names}
    even = [name for name in names if name in types or name in SIXTEENS or name.endswith("_clip")]
    hints = {(names.index(name),): [["tt.divisibility", 16]] for name in even}
    source = ASTSource(kernel, signature, constants, hints)
    done = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": warps})
    text = done.asm["ptx"]
    target = re.search(r"\.target (sm_\w+)", text).group(1)
    assert target.startswith(f"sm_{capability}") and len(done.asm["cubin"]) > 1000
    (folder / "kernel.ptx").write_text(text)
    tools = Path(triton.__file__).parent / "backends/nvidia/bin"
    assembler = (
        tools / "ptxas-blackwell" if capability >= 100 and (tools / "ptxas-blackwell").exists() else tools / "ptxas"
    )
    command = [str(assembler), "-v", f"--gpu-name={target}", str(folder / "kernel.ptx"), "-o", str(folder / "kernel.o")]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    spilled, registers = re.search(r"(\d+) bytes spill stores", told), re.search(r"Used (\d+) registers", told)
    return int(spilled.group(1)), int(registers.group(1))


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_numbers_on_a_gpu(dtype):
    from tests.unit.layers.kernels.depthwise.worker import CASES, check

    for name, case in CASES.items():
        found = check(*case, dtype=dtype, device="cuda")
        assert max(found.values()) <= ROUNDING[str(dtype).removeprefix("torch.")], (name, found)


@pytest.mark.gpu
@needs_gpu
def test_a_cuda_graph_holds_our_kernels(caplog):
    from slowfast.layers.kernels.depthwise.check import TRITON
    from slowfast.layers.kernels.depthwise.convolution import depthwise_conv

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
