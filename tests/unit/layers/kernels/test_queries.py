"""The operator that makes pooled queries ready for attention: numbers, gradients, and the Triton kernel without a GPU."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from slowfast.layers.kernels import choice, queries
from tests.unit.layers.kernels.queries_worker import CASES, check, make

# A unit in the last place of the norm's result, which the products read, and half of one more of theirs: the interpreter cuts
# bfloat16 off where a GPU rounds.
ROUNDING = {"float32": 1e-6, "bfloat16": 3 * 2**-8}


def wide(case: str) -> tuple:
    """Arguments of a case in double precision, all of which want gradients."""
    x, first, weight, bias, eps, rows, width = make(*CASES[case], torch.float64)
    x, weight, bias, *rows = (tensor.double().requires_grad_() for tensor in (x, weight, bias, *rows))
    return x, None if first is None else first.requires_grad_(), weight, bias, eps, *rows, width


@pytest.mark.parametrize("case", ["toy", "without class token"])
def test_gradients_are_those_of_the_definition(case):
    """In double precision, where autograd of the plain operations is the oracle."""
    arguments = wide(case)
    x, first, weight, bias, eps, *rows, width = arguments
    leaves = [x, weight, bias, *rows] + ([] if first is None else [first])
    found = queries.append_biases_op(*arguments)
    exact = queries.defined(x, first, weight, bias, eps, tuple(rows), width)
    assert torch.equal(found, exact)
    grad = torch.randn(exact.shape, dtype=torch.float64)
    for of_ours, expected in zip(
        torch.autograd.grad(found, leaves, grad), torch.autograd.grad(exact, leaves, grad), strict=True
    ):
        torch.testing.assert_close(of_ours, expected)


def test_the_operator_keeps_its_promises_to_the_compiler():
    parts = ("test_schema", "test_autograd_registration", "test_faketensor")  # what is left traces, for a minute
    torch.library.opcheck(queries.append_biases_op, wide("toy"), test_utils=parts)


@pytest.mark.parametrize("case", ["toy", "without class token", "a row in two parts"])
def test_products_give_the_numbers_of_the_definition_and_copy_no_queries(case):
    """In double precision; the operands of the products are views of the normed queries."""
    x, first, weight, bias, eps, *rows, width = wide(case)
    norm = nn.LayerNorm(x.shape[-1], eps=eps, dtype=torch.float64)
    norm.weight, norm.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
    leaves = [x, norm.weight, norm.bias, *rows] + ([] if first is None else [first])
    multiplied, as_torch_does = [], torch.bmm
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "bmm", lambda a, b: multiplied.append(a) or as_torch_does(a, b))
        found = queries.append_by_products(x, first, norm, tuple(rows), width)
    exact = queries.defined(x, first, norm.weight, norm.bias, eps, tuple(rows), width)
    torch.testing.assert_close(found, exact)
    grad = torch.randn(exact.shape, dtype=torch.float64)
    of_both = (torch.autograd.grad(one, leaves, grad) for one in (found, exact))
    for of_ours, expected in zip(*of_both, strict=True):
        torch.testing.assert_close(of_ours, expected)
    assert len({one.untyped_storage().data_ptr() for one in multiplied}) == 1 and len(multiplied) == 2
    assert all(one.stride(2) == 1 and one.stride(1) >= one.shape[2] for one in multiplied)  # as cuBLAS takes them


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("way", ["append_biases", "append_by_products"])
def test_a_block_gives_the_same_numbers_with_it(monkeypatch, class_token, way):
    """Values of the operator to the last digit on a CPU, where it is its definition; all else to rounding."""
    from tests.numerics.test_model_precision import make_mvit

    torch.manual_seed(0)
    model, clips = make_mvit(class_token), torch.randn(1, 3, 8, 32, 32)
    for name, parameter in model.named_parameters():
        if "rel_pos" in name:
            nn.init.normal_(parameter, std=0.5)
    names, parameters = zip(*model.named_parameters(), strict=True)
    calls, taken, function = [], choice.takes, getattr(queries, way)

    def spy(*args) -> torch.Tensor:
        calls.append(args)
        return function(*args)

    def values_and_gradients() -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        tokens = model(clips)
        return tokens, dict(zip(names, torch.autograd.grad(tokens.square().sum(), parameters), strict=True))

    monkeypatch.setattr(queries, way, spy)
    monkeypatch.setattr(choice, "appends_without_copies", lambda q, tables: False)
    expected, exact = values_and_gradients()
    assert not calls
    if way == "append_biases":
        monkeypatch.setattr(choice, "takes", lambda kernel, device: kernel is choice.QUERIES or taken(kernel, device))
    else:
        monkeypatch.setattr(choice, "appends_by_products", lambda q, tables: True)
    found, gradients = values_and_gradients()
    assert len(calls) >= 4
    assert torch.equal(found, expected) or way == "append_by_products"
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    largest = max(gradient.abs().max() for gradient in exact.values())
    for name in names:
        assert (gradients[name] - exact[name]).abs().max() <= 2e-6 * largest, name


def test_it_is_off_until_it_is_measured_on_a_gpu(monkeypatch):
    class OnGpu:  # what the question reads of a tensor
        device, dtype = torch.device("cuda"), torch.bfloat16

    tables = (OnGpu,) * 3
    assert not choice.appends_in_one_kernel(OnGpu(), tables)
    assert choice.appends_by_products(OnGpu(), tables) and not choice.appends_by_products(OnGpu(), (None, OnGpu, OnGpu))
    with choice.plain():
        assert not choice.appends_by_products(OnGpu(), tables)
    assert not choice.appends_by_products(torch.zeros(1), tables)
    monkeypatch.setattr(choice, "_setting", "all")
    assert choice.appends_in_one_kernel(OnGpu(), tables)
    assert not choice.appends_in_one_kernel(OnGpu(), (None, OnGpu, OnGpu))
    OnGpu.dtype = torch.float64
    assert not choice.appends_in_one_kernel(OnGpu(), tables)


# ---------------------------------------------------------------------------------------------- the Triton kernel


@pytest.mark.long
def test_the_interpreted_kernel_gives_the_numbers_of_the_definition(repo_root: Path):
    pytest.importorskip("triton", reason="Triton comes with PyTorch for CUDA")
    if torch.__version__ < (2, 7):
        pytest.skip("the interpreter of torch 2.6's Triton does not run with today's NumPy")
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(repo_root)}
    worker = Path(__file__).with_name("queries_worker.py")
    done = subprocess.run(
        [sys.executable, str(worker)], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 2 * len(CASES)
    assert {case: off for case, off in found.items() if not off <= ROUNDING[case.rsplit(", ", 1)[1]]} == {}


@pytest.mark.long
@pytest.mark.parametrize(
    ("capability", "kind"), [(80, "bf16"), (90, "bf16"), pytest.param(90, "fp32", marks=pytest.mark.slow)]
)
def test_the_kernel_compiles_without_a_gpu(capability, kind, tmp_path, monkeypatch):
    """At the size of block 1 of MViTv2-S. ptxas tells of registers that are spilled: in float32 some are."""
    triton = pytest.importorskip("triton", reason="Triton comes with PyTorch for CUDA")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from slowfast.layers.kernels import queries_triton

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = queries_triton.append_kernel
    constants = {"CLASS": 1, "D": 96, "KT": 8, "KH": 16, "KW": 16, "WIDTH": 136, "QUERIES": 32, "CHANNELS": 128}
    constants |= {"PT": 16, "PH": 16, "PW": 16, "PRECISION": "ieee" if kind == "fp32" else "tf32"}
    pointers = dict.fromkeys(("x", "first", "rows_t", "rows_h", "rows_w", "out"), f"*{kind}")
    types = pointers | {"weight": "*fp32", "bias": "*fp32", "eps": "fp32"} | dict.fromkeys(constants, "constexpr")
    source = ASTSource(kernel, {name: types.get(name, "i32") for name in kernel.arg_names}, constants)
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32))
    assert f".target sm_{capability}" in compiled.asm["ptx"] and len(compiled.asm["cubin"]) > 1000
    code = tmp_path / "kernel.ptx"
    code.write_text(compiled.asm["ptx"])
    ptxas = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "ptxas"
    target = compiled.asm["ptx"].split(".target ", 1)[1].split()[0].rstrip(",")
    told = subprocess.run(
        [str(ptxas), "-v", f"--gpu-name={target}", str(code), "-o", str(tmp_path / "kernel.cubin")],
        capture_output=True, text=True, check=True,
    ).stderr  # fmt: skip
    spilled = int(re.search(r"(\d+) bytes spill stores", told)[1])
    assert spilled <= {"bf16": 0, "fp32": 400}[kind], told


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_numbers_on_a_gpu(dtype):
    for name, case in CASES.items():
        assert check(*case, dtype=dtype, device="cuda") <= ROUNDING[str(dtype).removeprefix("torch.")], name
