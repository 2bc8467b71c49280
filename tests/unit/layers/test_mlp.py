"""Without gradients a CPU makes a large hidden layer in parts: the same numbers, whatever the parts."""

import pytest
import torch
import torch.nn.functional as F

from slowfast.layers import mlp as module
from slowfast.layers.mlp import Mlp


@pytest.fixture
def rows(monkeypatch):
    """Tokens that each call of the second layer is given."""
    rows, real = [], module.gelu_linear

    def count(hidden, *rest):
        rows.append(hidden.numel() // hidden.shape[-1])
        return real(hidden, *rest)

    monkeypatch.setattr(module, "gelu_linear", count)
    return rows


@pytest.mark.parametrize("shape", [(2, 20, 8), (40, 8)])
@pytest.mark.parametrize(
    ("kept", "expected_rows"),  # elements of the hidden layer; each of 40 tokens has 32
    [(40 * 32, [40]), (40 * 32 - 1, [14, 14, 12]), (20 * 32, [10] * 4), (32, [1] * 40)],
)
def test_parts_give_the_whole(monkeypatch, rows, shape, kept, expected_rows):
    torch.manual_seed(0)
    mlp, norm, x = Mlp(8, hidden=32, dim_out=12), torch.nn.LayerNorm(8), torch.randn(shape)
    expected, before = mlp.fc2(F.gelu(mlp.fc1(norm(x)))), x.clone()
    monkeypatch.setattr(module, "_KEPT", kept)
    with torch.no_grad():
        found = mlp(x, norm=norm)
    torch.testing.assert_close(found, expected)
    assert torch.equal(x, before)
    assert rows == expected_rows


def test_no_clips_give_no_tokens():
    with torch.no_grad():
        assert Mlp(8, hidden=32, dim_out=12)(torch.randn(0, 20, 8), norm=torch.nn.LayerNorm(8)).shape == (0, 20, 12)


def test_training_and_other_types_make_it_whole(monkeypatch, rows):
    monkeypatch.setattr(module, "_KEPT", 1)
    mlp, norm, x = Mlp(8, hidden=32, dim_out=12), torch.nn.LayerNorm(8), torch.randn(2, 20, 8)
    mlp(x, norm=norm)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        mlp(x, norm=norm)
    assert rows == [40, 40]
