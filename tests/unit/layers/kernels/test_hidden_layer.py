import pytest
import torch
import torch.nn.functional as F

from slowfast.layers.kernels import choice
from slowfast.layers.kernels import hidden_layer as module
from slowfast.layers.kernels.hidden_layer import gelu_linear

LARGE, SMALL = 500, 5  # rows of each of two clips


def make(rows, wide, narrow, **options):
    torch.manual_seed(0)
    x = torch.randn(2, rows, wide, **options)
    weight, bias = torch.randn(narrow, wide, **options) / 8, torch.randn(narrow, **options)
    return tuple(tensor.requires_grad_() for tensor in (x, weight, bias))


@pytest.mark.parametrize("rows", [LARGE, SMALL])
@pytest.mark.parametrize(("wide", "narrow"), [(128, 48), (64, 96), (80, 80)])
@pytest.mark.parametrize("contiguous", [True, False])
def test_values_and_gradients_are_those_of_the_two_layers(product_kernel, rows, wide, narrow, contiguous):
    inputs = make(rows, wide, narrow)
    exact = [tensor.detach().double().requires_grad_() for tensor in inputs]
    found, expected = gelu_linear(*inputs), F.linear(F.gelu(exact[0]), *exact[1:])
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    direction = torch.randn(found.shape if contiguous else found.transpose(0, 2).shape)
    direction = direction if contiguous else direction.transpose(0, 2)
    gradients = torch.autograd.grad(found, inputs, direction)
    for a, b in zip(gradients, torch.autograd.grad(expected, exact, direction.double()), strict=True):
        assert a.shape == b.shape and (a - b).abs().max() <= 1e-5 * b.abs().max()


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_only_the_gradient_asked_for(product_kernel, wanted):
    inputs = make(LARGE, 64, 96)
    for index, tensor in enumerate(inputs):
        tensor.requires_grad_(index == wanted)
    gelu_linear(*inputs).square().sum().backward()
    (expected,) = torch.autograd.grad(F.linear(F.gelu(inputs[0]), *inputs[1:]).square().sum(), inputs[wanted])
    torch.testing.assert_close(inputs[wanted].grad, expected, rtol=1e-4, atol=1e-3)
    assert [tensor.grad is not None for tensor in inputs] == [index == wanted for index in range(3)]


def test_nothing_but_the_input_and_the_weight_is_kept(monkeypatch):
    monkeypatch.setattr(choice, "_WORTH_RECOMPUTING", 1)
    kept, (x, weight, bias) = [], make(LARGE, 64, 96)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        gelu_linear(x, weight, bias)
    assert {tensor.data_ptr() for tensor in kept} == {x.data_ptr(), weight.data_ptr()}


def test_without_gradients_gelu_takes_the_place_of_its_input():
    x, weight, bias = (tensor.detach() for tensor in make(LARGE, 64, 96))
    expected, activated = F.linear(F.gelu(x), weight, bias), F.gelu(x)
    with torch.no_grad():
        torch.testing.assert_close(gelu_linear(x, weight, bias), expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(x, activated)


def test_own_gradient_for_large_float32_on_a_cpu_only(monkeypatch):
    used = []
    monkeypatch.setattr(module._GeluLinear, "apply", lambda *inputs: used.append(inputs))
    inputs = make(LARGE, 64, 96)
    gelu_linear(*inputs)
    assert len(used) == 1
    with torch.no_grad():
        gelu_linear(inputs[0].clone(), *inputs[1:])
    with torch.autocast("cpu", torch.bfloat16):
        gelu_linear(*inputs)
    gelu_linear(*make(SMALL, 64, 96))
    gelu_linear(*make(LARGE, 64, 96, dtype=torch.float64))
    assert len(used) == 1
