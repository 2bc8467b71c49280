"""The operator that CUDA uses, on the CPU: its numbers, its gradients, and what a compiler sees of it."""

import pytest
import torch
import torch.nn.functional as F

from slowfast.layers.kernels import choice, depthwise_conv
from slowfast.layers.kernels.depthwise import by_torch
from slowfast.layers.kernels.depthwise.check import OPERATIONS, TRITON
from slowfast.layers.kernels.depthwise.convolution import depthwise_conv_of_sequence
from slowfast.layers.kernels.depthwise.operators import depthwise_conv_of_tokens, depthwise_conv_op
from slowfast.layers.token_grid import pool_tokens
from tests.unit.layers.test_mvit_block import tiny_mvit

CASES = [  # grid, kernel, stride
    ((2, 4, 5), (3, 3, 3), (1, 1, 1)),
    ((2, 6, 7), (3, 3, 3), (1, 2, 2)),
    ((1, 4, 4), (1, 3, 3), (1, 4, 4)),
    ((2, 4, 4), (1, 2, 2), (1, 1, 1)),
]


def make(grid, kernel, dtype=torch.float32):
    """Grids as they lie behind a class token, and the kernels of their channels."""
    torch.manual_seed(0)
    length = grid[0] * grid[1] * grid[2]
    sequence = torch.randn(2, 1 + length, 8, dtype=dtype, requires_grad=True)
    return sequence[:, 1:].unflatten(1, grid), torch.randn(8, 1, *kernel, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize(("grid", "kernel", "stride"), CASES)
def test_values_and_gradients(grid, kernel, stride):
    x, weight = make(grid, kernel, torch.float64)
    found = depthwise_conv_op(x, weight, stride)
    padding = [size // 2 for size in kernel]
    expected = F.conv3d(x.permute(0, 4, 1, 2, 3), weight, None, stride, padding, 1, 8).permute(0, 2, 3, 4, 1)
    torch.testing.assert_close(found, expected)
    direction = torch.randn_like(found)
    found = torch.autograd.grad(found, (x, weight), direction)
    torch.testing.assert_close(found, torch.autograd.grad(expected, (x, weight), direction))


def sequence(grid, dtype=torch.float32, before: int = 1):
    torch.manual_seed(1)
    return torch.randn(2, before + grid[0] * grid[1] * grid[2], 8, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize(("grid", "kernel", "stride"), CASES)
def test_of_a_sequence_the_class_token_passes_by(grid, kernel, stride, before):
    x, weight = sequence(grid, torch.float64, before), make(grid, kernel, torch.float64)[1]
    expected, _ = pool_tokens(x, grid, lambda tokens: depthwise_conv_op(tokens, weight, stride), bool(before))
    found = depthwise_conv_of_tokens(x, weight, grid, stride)
    torch.testing.assert_close(found, expected)
    direction = torch.randn(expected.shape, dtype=torch.float64)
    expected = torch.autograd.grad(expected, (x, weight), direction)
    torch.testing.assert_close(torch.autograd.grad(found, (x, weight), direction), expected)


def test_the_sequence_of_a_layer_goes_through_it_in_one_graph(monkeypatch):
    monkeypatch.setattr(choice, "has_depthwise_operator", lambda x: True)
    grid, x, weight = (2, 6, 7), sequence((2, 6, 7)), make((2, 6, 7), (3, 3, 3))[1]
    torch._dynamo.reset()
    seen = []

    def keep(graph, inputs):
        seen.append(graph.code)
        return graph

    out, pooled = torch.compile(depthwise_conv_of_sequence, backend=keep, fullgraph=True)(x, grid, weight, (1, 2, 2))
    assert pooled == (2, 3, 4) and out.shape == (2, 1 + 24, 8)
    assert len(seen) == 1 and "slowfast.depthwise_conv_of_tokens" in seen[0] and "cat" not in seen[0]


@pytest.mark.parametrize(("grid", "kernel", "stride"), CASES[:3])
def test_both_layouts_of_pytorch_give_the_same(grid, kernel, stride):
    x, weight = (tensor.detach() for tensor in make(grid, kernel))
    grad = torch.randn_like(by_torch.forward(x, weight, stride))
    for operation in OPERATIONS:
        args = (x, weight, stride) if operation == "forward" else (grad, x, weight, stride)
        results = [getattr(by_torch, operation)(*args, layout) for layout in by_torch.LAYOUTS.values()]
        torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)
        assert len(results) == 2 and all(result.is_contiguous() for result in results)


@pytest.mark.long
@pytest.mark.parametrize(("grid", "kernel", "stride"), CASES)
def test_a_compiler_is_told_the_truth(grid, kernel, stride):
    """Shapes, layouts and gradients as a trace sees them are those of a run."""
    x, weight = make(grid, kernel)
    torch.library.opcheck(depthwise_conv_op, (x, weight, list(stride)))


@pytest.mark.long
def test_a_compiler_is_told_the_truth_of_a_sequence():
    grid, kernel, stride = CASES[1]
    weight = make(grid, kernel)[1]
    torch.library.opcheck(depthwise_conv_of_tokens, (sequence(grid), weight, list(grid), list(stride)))


@pytest.mark.parametrize("trained", ["x", "weight"])
def test_only_the_gradient_asked_for_is_computed(trained, monkeypatch):
    x, weight = (tensor.detach() for tensor in make((2, 4, 4), (3, 3, 3)))
    wanted = (x if trained == "x" else weight).requires_grad_()
    run, operations = TRITON.run, []
    monkeypatch.setattr(TRITON, "run", lambda operation, *args: operations.append(operation) or run(operation, *args))
    depthwise_conv_op(x, weight, (1, 1, 1)).sum().backward()
    assert wanted.grad is not None
    assert operations == ["forward", "input_gradient" if trained == "x" else "weight_gradient"]


def test_the_layer_goes_through_it_without_a_graph_break(monkeypatch):
    monkeypatch.setattr(choice, "has_depthwise_operator", lambda x: True)
    x, weight = (tensor.detach().requires_grad_() for tensor in make((2, 4, 4), (3, 3, 3)))
    torch._dynamo.reset()
    seen = []

    def keep(graph, inputs):
        seen.append(graph.code)
        return graph

    compiled = torch.compile(depthwise_conv, backend=keep, fullgraph=True)
    compiled(x, weight, (1, 2, 2)).sum().backward()
    assert len(seen) == 1 and "slowfast.depthwise_conv" in seen[0]
    expected = torch.autograd.grad(depthwise_conv_op(x, weight, (1, 2, 2)).sum(), (x, weight))
    torch.testing.assert_close((x.grad, weight.grad), expected)


def test_autocast_reaches_it(monkeypatch):
    """Under autocast the operator computes in its type, and the leaves get gradients in theirs."""
    monkeypatch.setattr(choice, "has_depthwise_operator", lambda x: True)
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: kind == "cuda")
    monkeypatch.setattr(torch, "get_autocast_dtype", lambda kind: {"cuda": torch.bfloat16}[kind])
    x, weight = (tensor.detach().requires_grad_() for tensor in make((2, 4, 4), (3, 3, 3)))
    out = depthwise_conv(x, weight, (1, 1, 1))
    assert out.dtype == torch.bfloat16
    out.sum().backward()
    assert x.grad.dtype == weight.grad.dtype == torch.float32


@pytest.mark.long
@pytest.mark.skipif(torch.__version__ < (2, 8), reason="torch 2.6 and 2.7 compile the attention's gradient wrongly")
def test_a_compiled_network_has_one_graph_and_the_same_gradients(monkeypatch):
    monkeypatch.setattr(choice, "has_depthwise_operator", lambda x: True)
    torch._dynamo.reset()
    model = tiny_mvit().train()
    clips = torch.randn(2, 3, 4, 32, 32)
    expected = torch.autograd.grad(model(clips).square().sum(), list(model.parameters()))
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True, dynamic=False)
    found = torch.autograd.grad(compiled(clips).square().sum(), list(model.parameters()))
    largest = max(gradient.abs().max() for gradient in expected)
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() <= 2e-6 * largest
