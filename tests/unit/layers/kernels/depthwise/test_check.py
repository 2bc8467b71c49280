"""The comparison of our depthwise kernels with float64, with kernels that a test can spoil and a CPU can run."""

import re
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from slowfast.layers.kernels.depthwise import by_torch, check
from slowfast.layers.kernels.depthwise.check import OPERATIONS, Checked, Pooling, fault_of, poolings_of

CPU = torch.device("cpu")
STRIDED = Pooling(torch.float32, (3, 3, 3), (1, 2, 2))


class Ours:
    """Right kernels, which note their calls. spoiled: an operation, and what is done to its result."""

    def __init__(self, **spoiled) -> None:
        self.calls: list[str] = []
        for operation in OPERATIONS:
            setattr(self, operation, self._kernel(operation, spoiled.get(operation, lambda result: result)))

    def supports(self, kernel, stride) -> bool:
        return stride[0] == 1

    def _kernel(self, operation, spoil):
        def run(*args):
            self.calls.append(operation)
            return spoil(getattr(by_torch, operation)(*args))

        return run


def raising(error: Exception):
    def spoil(result):
        raise error

    return spoil


def checked(ours) -> Checked:
    return Checked(lambda: ours, device_type="cpu")


def tensors(pooling: Pooling = STRIDED):
    torch.manual_seed(0)
    x, weight = torch.randn(2, 4, 6, 6, 8), torch.randn(8, 1, *pooling.kernel)
    return x, weight, pooling.stride


def warnings_of(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("stride", [(1, 1, 1), (1, 2, 2), (2, 3, 3)])
def test_right_kernels_are_within_rounding(dtype, stride):
    in_float = SimpleNamespace(**{name: rounded(getattr(by_torch, name)) for name in OPERATIONS})
    assert fault_of(in_float, Pooling(dtype, (3, 3, 3), stride), CPU) == ""


def rounded(operation):
    """Sums in float32, as our kernels: torch's own sums of bfloat16 on a CPU are not always right."""
    return lambda *args: operation(*(a.float() if torch.is_tensor(a) else a for a in args)).to(args[0].dtype)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda result: result * 1.001, r"is off by 0.001 of the largest value \(limit 1e-05\)"),
        (lambda result: torch.where(result.abs() == result.abs().max(), 0, result), "is off by 1 of the largest value"),
        (lambda result: result * torch.nan, "is off by nan"),
        (lambda result: result[:1], "has the shape"),
    ],
    ids=["a factor", "one value", "NaN", "a clip missing"],
)
def test_a_wrong_kernel_is_named_and_pytorch_computes(operation, spoil, told, caplog):
    ours = Ours(**{operation: spoil})
    run, args = checked(ours), tensors()
    expected = by_torch.forward(*args)
    assert torch.equal(run.run("forward", *args), expected)
    (warning,) = warnings_of(caplog)
    assert warning.startswith("depthwise convolutions by PyTorch from now on")
    caplog.clear()
    ours.calls.clear()
    gradient = run.run("weight_gradient", torch.ones_like(expected), *args)
    assert torch.equal(gradient, by_torch.weight_gradient(torch.ones_like(expected), *args))
    assert ours.calls == [] and warnings_of(caplog) == []
    assert re.search(f"kernel 3x3x3, stride 1x2x2, float32: the {operation} {told}", run.refused)


def test_a_right_kernel_is_compared_once_for_each_pooling_and_type():
    ours = Ours()
    run, args = checked(ours), tensors()
    for _ in range(3):
        run.run("forward", *args)
    assert ours.calls == [*OPERATIONS, *["forward"] * 3]
    ours.calls.clear()
    run.run("forward", *args[:2], (1, 1, 1))
    assert ours.calls == [*OPERATIONS, "forward"]
    assert run.refused == ""


def test_numbers_that_are_not_finite_are_nobodys_fault():
    run, args = checked(Ours()), tensors()
    args[0][0, 0, 0, 0] = torch.nan
    run.run("forward", *args)
    assert run.refused == ""


def test_a_kernel_that_fails_later_is_named_and_pytorch_computes(caplog):
    ours, args = Ours(), tensors()
    run = checked(ours)
    run.run("forward", *args)
    ours.forward = lambda *args: raising(RuntimeError("out of resources: registers\nmore of it"))(None)
    assert torch.equal(run.run("forward", *args), by_torch.forward(*args))
    (warning,) = warnings_of(caplog)
    assert "not used, forward: RuntimeError: out of resources: registers (MODEL.DEPTHWISE torch" in warning


def test_running_out_of_memory_passes_through_and_says_nothing_against_a_kernel():
    ours, args = Ours(), tensors()
    run = checked(ours)
    run.run("forward", *args)
    ours.forward = lambda *args: raising(torch.OutOfMemoryError("full"))(None)
    with pytest.raises(torch.OutOfMemoryError, match="full"):
        run.run("forward", *args)
    assert run.refused == ""


def test_running_out_of_memory_in_the_comparison_ends_nothing(caplog):
    args = tensors()
    run = checked(Ours(forward=raising(torch.OutOfMemoryError("full"))))
    assert torch.equal(run.run("forward", *args), by_torch.forward(*args))
    assert "OutOfMemoryError: full" in warnings_of(caplog)[0]


def test_without_triton_pytorch_computes(caplog):
    def load():
        raise ImportError("No module named 'triton'")

    run, args = Checked(load, device_type="cpu"), tensors()
    assert torch.equal(run.run("forward", *args), by_torch.forward(*args))
    assert "ImportError: No module named 'triton'" in warnings_of(caplog)[0]


def test_required_kernels_that_fail_are_an_error():
    run, args = checked(Ours(forward=lambda result: 2 * result)), tensors()
    run.required = True
    with pytest.raises(ValueError, match=r"MODEL.DEPTHWISE is triton, but .* is off by 1 .*; set MODEL.DEPTHWISE auto"):
        run.run("forward", *args)


def test_nothing_is_compared_while_a_graph_is_recorded(caplog, monkeypatch):
    ours, args = Ours(), tensors()
    run = checked(ours)
    monkeypatch.setattr(check, "_is_recording", lambda device: True)
    for _ in range(2):
        assert torch.equal(run.run("forward", *args), by_torch.forward(*args))
    assert ours.calls == []
    (warning,) = warnings_of(caplog)
    assert "recorded before kernel 3x3x3, stride 1x2x2, float32 was met" in warning
    monkeypatch.setattr(check, "_is_recording", lambda device: False)
    run.run("forward", *args)
    monkeypatch.setattr(check, "_is_recording", lambda device: True)
    ours.calls.clear()
    run.run("forward", *args)
    assert ours.calls == ["forward"]


def test_other_devices_and_empty_batches_are_pytorchs():
    x, weight, stride = tensors()
    other = Ours()
    Checked(lambda: other).run("forward", x, weight, stride)  # for CUDA
    assert checked(other).run("forward", x[:0], weight, stride).shape == (0, 4, 3, 3, 8)
    assert other.calls == []


def test_what_ours_do_not_compute_is_pytorchs_and_said_once(caplog):
    x, weight, _ = tensors()
    ours = Ours()
    run = checked(ours)
    for _ in range(2):
        assert torch.equal(run.run("forward", x, weight, (2, 2, 2)), by_torch.forward(x, weight, (2, 2, 2)))
    assert ours.calls == [] and run.refused == ""
    (warning,) = warnings_of(caplog)
    assert warning.startswith("kernel 3x3x3, stride 2x2x2, float32: there is no Triton kernel of ours")


def test_the_comparison_draws_no_random_numbers_of_the_run():
    before = torch.get_rng_state()
    checked(Ours()).check([STRIDED], CPU)
    assert torch.equal(torch.get_rng_state(), before)


def test_poolings_of_a_model_are_its_depthwise_convolutions():
    model = nn.ModuleList([
        nn.Conv3d(8, 8, 3, stride=(1, 8, 8), padding=1, groups=8),
        nn.Conv3d(8, 8, 3, stride=(1, 2, 2), padding=1, groups=8),
        nn.Conv3d(8, 8, 3, stride=(1, 2, 2), padding=1, groups=8),
        nn.Conv3d(8, 8, (1, 2, 2), stride=(1, 4, 4), groups=8),
        nn.Conv3d(3, 8, 3),
    ])  # fmt: skip
    assert poolings_of(model, torch.float32)[0].stride == (1, 8, 8)
    assert [pooling[1:] for pooling in poolings_of(model, torch.float32, closed=True)] == [
        ((3, 3, 3), (1, 3, 3)),
        ((3, 3, 3), (1, 2, 2)),
        ((1, 2, 2), (1, 4, 4)),
    ]
