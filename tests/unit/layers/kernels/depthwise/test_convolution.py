import pytest
import torch
import torch.nn.functional as F

from slowfast.layers.kernels import choice
from slowfast.layers.kernels.depthwise.convolution import depthwise_conv

CASES = [  # grid, kernel, stride
    ((4, 6, 7), (3, 3, 3), (1, 1, 1)),
    ((4, 8, 8), (3, 3, 3), (1, 2, 2)),
    ((4, 7, 9), (3, 3, 3), (1, 4, 4)),
    ((3, 8, 8), (3, 3, 3), (1, 8, 8)),
    ((2, 9, 17), (3, 3, 3), (1, 8, 4)),
    ((3, 6, 7), (3, 3, 3), (1, 3, 3)),  # windows next to each other
    ((3, 6, 8), (3, 3, 3), (1, 4, 2)),  # they overlap along one axis
    ((1, 1, 5), (3, 3, 3), (1, 4, 4)),  # a tap that meets nothing
    ((4, 8, 8), (5, 3, 3), (1, 4, 4)),
    ((1, 6, 5), (3, 3, 3), (1, 1, 1)),
    ((1, 6, 6), (1, 3, 3), (1, 2, 2)),
    ((5, 6, 6), (5, 3, 3), (1, 1, 1)),
    ((4, 6, 6), (3, 3, 3), (2, 2, 2)),
    ((4, 6, 6), (1, 2, 2), (1, 1, 1)),
]


def reference(x, weight, stride):
    padding = [size // 2 for size in weight.shape[2:]]
    out = F.conv3d(x.permute(0, 4, 1, 2, 3).contiguous(), weight, None, stride, padding, 1, x.shape[-1])
    return out.permute(0, 2, 3, 4, 1)


@pytest.mark.parametrize(("grid", "kernel", "stride"), CASES)
def test_values_and_gradients_are_those_of_conv3d(grid, kernel, stride):
    torch.manual_seed(0)
    x = torch.randn(2, *grid, 8, requires_grad=True)
    weight = torch.randn(8, 1, *kernel, requires_grad=True)
    found, expected = depthwise_conv(x, weight, stride), reference(x.double(), weight.double(), stride)
    assert found.shape == expected.shape
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    direction = torch.randn_like(found)
    found_gradients = torch.autograd.grad(found, (x, weight), direction)
    expected_gradients = torch.autograd.grad(expected, (x, weight), direction.double())
    for a, b in zip(found_gradients, expected_gradients, strict=True):
        assert (a - b).abs().max() <= 1e-5 * b.abs().max()


@pytest.mark.parametrize(("needs_x", "needs_weight"), [(True, False), (False, True)])
@pytest.mark.parametrize("stride", [(1, 1, 1), (1, 2, 2), (1, 4, 4)])
def test_only_the_gradients_asked_for(needs_x, needs_weight, stride):
    torch.manual_seed(0)
    x, weight = (
        torch.randn(1, 2, 4, 4, 8, requires_grad=needs_x),
        torch.randn(8, 1, 3, 3, 3, requires_grad=needs_weight),
    )
    depthwise_conv(x, weight, stride).sum().backward()
    wanted = x if needs_x else weight
    (expected,) = torch.autograd.grad(reference(x, weight, stride).sum(), wanted)
    torch.testing.assert_close(wanted.grad, expected, rtol=1e-4, atol=1e-4)
    assert (x.grad is None) == (not needs_x) and (weight.grad is None) == (not needs_weight)


def test_double_precision_takes_the_plain_path_and_passes_gradcheck():
    torch.manual_seed(0)
    x = torch.randn(1, 2, 3, 3, 2, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 1, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: depthwise_conv(a, b, (1, 2, 2)), (x, weight))


def test_weight_gradient_of_many_positions_keeps_its_digits():
    torch.manual_seed(0)
    x, weight = torch.randn(1, 8, 64, 64, 96), torch.randn(96, 1, 3, 3, 3, requires_grad=True)
    direction = torch.randn_like(x)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # every thread adds up its part of the positions
    (found,) = torch.autograd.grad(depthwise_conv(x, weight, (1, 1, 1)), weight, direction)
    torch.set_num_threads(threads)
    expected_output = reference(x.double(), weight.double(), (1, 1, 1))
    (expected,) = torch.autograd.grad(expected_output, weight, direction.double())
    assert (found - expected).abs().max() <= 5e-6 * expected.abs().max()


@pytest.mark.parametrize("grid", [(2, 4, 4), (4, 8, 8)])
def test_bfloat16_gradients_on_the_cpu_are_those_of_float32(grid):
    """torch's own bfloat16 backward is off by more than the gradient itself on the smaller grid."""
    torch.manual_seed(0)
    x, weight = torch.randn(2, *grid, 8) + 0.3, torch.randn(8, 1, 3, 3, 3, requires_grad=True)
    out_gradient = torch.randn(2, *grid, 8)

    def gradient(autocast: bool) -> torch.Tensor:
        weight.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            out = depthwise_conv(x.bfloat16() if autocast else x, weight, (1, 1, 1))
        (out.float() * out_gradient).sum().backward()
        return weight.grad.clone()

    exact = gradient(False)
    assert (gradient(True) - exact).norm() < 0.02 * exact.norm()


@pytest.mark.parametrize(("groups", "heads", "head"), [(1, 3, 4), (2, 2, 4), (2, 1, 4), (12, 1, 1)])
@pytest.mark.parametrize("ours", [True, False], ids=["operator", "layer"])
def test_heads_share_the_kernels_of_their_group(groups, heads, head, ours, monkeypatch):
    """Against the kernels of a head repeated for each head, as PySlowFast's attention convolves its heads."""
    monkeypatch.setattr(choice, "has_depthwise_operator", lambda x: ours)
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 5, groups * heads * head, requires_grad=True)
    weight = torch.randn(groups, head, 3, 3, 3, requires_grad=True)
    every = torch.cat([kernels[:, None].repeat(heads, 1, 1, 1, 1) for kernels in weight])
    found, expected = depthwise_conv(x, weight, (1, 2, 2)), reference(x, every, (1, 2, 2))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    direction = torch.randn_like(found)
    gradients = (torch.autograd.grad(one, (x, weight), direction) for one in (found, expected))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
