"""Without gradients a CPU makes the hidden layer in parts: the same numbers, whatever the parts."""

import pytest
import torch
import torch.nn.functional as F

from slowfast.layers import mlp as module
from slowfast.layers.mlp import Mlp


@pytest.mark.parametrize("at_once", [1, 2 * 32 * 7, 2 * 32 * 20, 2**30])  # 1, 7, 20 and all 20 tokens of two clips
def test_parts_give_the_whole(monkeypatch, at_once):
    torch.manual_seed(0)
    mlp, norm, x = Mlp(8, hidden=32, dim_out=12), torch.nn.LayerNorm(8), torch.randn(2, 20, 8)
    expected = mlp.fc2(F.gelu(mlp.fc1(norm(x))))
    rows = []
    monkeypatch.setattr(module, "_HIDDEN_AT_ONCE", at_once)
    real = module.gelu_linear
    monkeypatch.setattr(module, "gelu_linear", lambda hidden, *rest: rows.append(hidden.shape[1]) or real(hidden, *rest))
    before = x.clone()
    with torch.no_grad():
        found = mlp(x, norm=norm)
    torch.testing.assert_close(found, expected)
    assert torch.equal(x, before)
    assert sum(rows) == 20 and max(rows) == min(20, max(1, at_once // 64))


def test_training_makes_it_whole(monkeypatch):
    monkeypatch.setattr(module, "_HIDDEN_AT_ONCE", 1)
    rows, real = [], module.gelu_linear
    monkeypatch.setattr(module, "gelu_linear", lambda hidden, *rest: rows.append(hidden.shape[1]) or real(hidden, *rest))
    Mlp(8, hidden=32, dim_out=12)(torch.randn(2, 20, 8), norm=torch.nn.LayerNorm(8))
    assert rows == [20]
