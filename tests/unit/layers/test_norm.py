"""The norm of the blocks: a float32 norm, rounded once under autocast."""

import pytest
import torch
from torch import nn

from slowfast.layers.norm import LayerNorm


def make() -> tuple[LayerNorm, torch.Tensor]:
    torch.manual_seed(0)
    norm = LayerNorm(96, eps=1e-6)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm, 5 + torch.randn(2, 7, 96)


def test_without_autocast_it_is_the_layer_norm_to_the_last_digit():
    norm, x = make()
    assert torch.equal(norm(x), nn.functional.layer_norm(x, (96,), norm.weight, norm.bias, 1e-6))
    assert norm.double()(x.double()).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_under_autocast_only_the_result_is_rounded(dtype):
    """The mean of 5 is far larger than the spread: statistics in bfloat16 would be off by a percent and more."""
    norm, x = make()
    x = x.to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        found = norm(x)
    exact = nn.functional.layer_norm(x.double(), (96,), norm.weight.double(), norm.bias.double(), 1e-6)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), exact, rtol=2**-8, atol=1e-5)


def test_gradients_reach_the_float32_parameters():
    norm, x = make()
    with torch.autocast("cpu", torch.bfloat16):
        norm(x.requires_grad_()).float().sum().backward()
    assert x.grad.dtype == norm.weight.grad.dtype == torch.float32
    torch.testing.assert_close(norm.bias.grad, torch.full((96,), 14.0))
