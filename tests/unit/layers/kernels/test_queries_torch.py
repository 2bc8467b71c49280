"""Queries made ready without copies of them, and layers of one norm: numbers and gradients of the definitions in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from slowfast.layers.kernels import choice, queries, queries_torch
from slowfast.layers.kernels.normed_layers import Layer, layers_of_norm
from tests.unit.layers.kernels.queries_worker import CASES, make

MORE = CASES | {"two clips of three heads": ((2, 3, 4, 2), 3, 8, (3, 2, 4), True)}


def off(found: torch.Tensor, exact: torch.Tensor) -> float:
    return ((found.double() - exact).abs().max() / exact.abs().max()).item()


@pytest.mark.parametrize("case", MORE)
def test_numbers_and_gradients_are_those_of_the_definition(case):
    x, first, weight, bias, eps, rows, width = make(*MORE[case], torch.float32)
    norm = nn.LayerNorm(x.shape[-1], eps=eps)
    norm.weight.data, norm.bias.data = weight, bias
    given = [x, *([] if first is None else [first]), norm.weight, norm.bias, *rows]
    ours = [
        tensor.detach().requires_grad_() if tensor is not norm.weight and tensor is not norm.bias else tensor
        for tensor in given
    ]
    wide = [tensor.detach().double().requires_grad_() for tensor in given]

    def parts(tensors: list[torch.Tensor]) -> tuple:
        x, *rest = tensors
        first = rest.pop(0) if len(rest) == 6 else None
        return x, first, rest[0], rest[1], tuple(rest[2:])

    x, first, _, _, rows = parts(ours)
    found = queries_torch.append_biases(x, first, norm, rows, width)
    x, first, weight, bias, rows = parts(wide)
    exact = queries.defined(x, first, weight, bias, eps, rows, width)
    assert found.shape == exact.shape and off(found, exact) < 1e-6
    assert torch.equal(
        found[..., exact.abs().amax((0, 1, 2)) == 0],
        found.new_zeros(()).expand_as(found[..., exact.abs().amax((0, 1, 2)) == 0]),
    )
    grad = torch.randn(exact.shape, dtype=torch.float64)
    gradients = torch.autograd.grad(found, ours, grad.float())
    for one, expected in zip(gradients, torch.autograd.grad(exact, wide, grad), strict=True):
        assert one.shape == expected.shape and off(one, expected) < 1e-5


@pytest.mark.parametrize("first_reads", ["all", "some"])
def test_layers_of_a_norm_are_those_of_pytorch(first_reads):
    torch.manual_seed(0)
    norm, x = nn.LayerNorm(24, eps=1e-6), torch.randn(2, 50, 24) * 2 + 1
    nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
    places = torch.tensor([0, 3, 4, 20, 49])
    layers = [Layer(torch.randn(16, 24), torch.randn(16)), Layer(torch.randn(40, 24), None, places)]
    layers = layers if first_reads == "all" else layers[::-1]
    given = [x, norm.weight, norm.bias, *(tensor for layer in layers for tensor in layer[:2] if tensor is not None)]
    for tensor in given:
        tensor.requires_grad_()
    wide = [tensor.detach().double().requires_grad_() for tensor in given]
    found = layers_of_norm(x, norm, layers)
    tokens, numbers = F.layer_norm(wide[0], (24,), wide[1], wide[2], norm.eps), iter(wide[3:])
    exact = []
    for layer in layers:
        seen = tokens if layer.places is None else tokens[:, layer.places]
        exact.append(F.linear(seen, next(numbers), None if layer.bias is None else next(numbers)))
    slopes = [torch.randn(part.shape, dtype=torch.float64) for part in exact]
    assert all(off(a, b) < 1e-6 for a, b in zip(found, exact, strict=True))
    gradients = torch.autograd.grad(found, given, [slope.float() for slope in slopes])
    for one, expected in zip(gradients, torch.autograd.grad(exact, wide, slopes), strict=True):
        assert one.shape == expected.shape and off(one, expected) < 1e-5


def test_what_is_frozen_gets_no_gradient_and_a_layer_may_have_no_reader():
    norm, x = nn.LayerNorm(8), torch.randn(1, 5, 8, requires_grad=True)
    frozen, trained = torch.randn(4, 8), torch.randn(6, 8, requires_grad=True)
    norm.requires_grad_(False)
    first, second = layers_of_norm(x, norm, [Layer(frozen, None), Layer(trained, torch.zeros(6))])
    second.square().sum().backward()  # nobody reads the first
    exact = torch.autograd.grad(F.linear(norm(x), trained).square().sum(), (x, trained))
    assert norm.weight.grad is None and frozen.grad is None and first.requires_grad
    for one, expected in zip((x.grad, trained.grad), exact, strict=True):
        torch.testing.assert_close(one, expected)


def test_only_the_input_of_the_norm_is_kept():
    norm, x = nn.LayerNorm(8), torch.randn(2, 100, 8, requires_grad=True)
    weights, kept = [torch.randn(8, 8, requires_grad=True) for _ in range(2)], []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        layers_of_norm(x, norm, [Layer(weight, None) for weight in weights])
    large = {tensor.data_ptr() for tensor in kept if tensor.numel() >= x.numel()}
    assert large == {x.data_ptr()}


def test_other_types_and_graphs_keep_the_plain_ways():
    x = torch.zeros(2**20, requires_grad=True)
    tables = (x, x, x)
    assert choice.appends_without_copies(x, tables) and choice.has_own_projection_gradient(x)
    assert not choice.appends_without_copies(x, (None, x, x))
    for dtype in (torch.float64, torch.bfloat16):
        other = x.detach().to(dtype).requires_grad_()
        assert not choice.appends_without_copies(other, tables) and not choice.has_own_projection_gradient(other)
    for context in (torch.autocast("cpu", torch.bfloat16), choice.plain(), choice.for_export(), torch.no_grad()):
        with context:
            assert not choice.appends_without_copies(x, tables)
    assert not choice.has_own_projection_gradient(x.detach())
