"""Without gradients a CPU makes a large hidden layer in parts: the same numbers, whatever the parts."""

import pytest
import torch
import torch.nn.functional as F

from slowfast.layers.kernels import choice, hidden_layer, normed
from slowfast.layers.mlp import Mlp


@pytest.fixture
def rows(monkeypatch):
    """Tokens that each call of the second layer is given."""
    rows, real = [], hidden_layer.gelu_linear

    def count(hidden, *rest):
        rows.append(hidden.numel() // hidden.shape[-1])
        return real(hidden, *rest)

    monkeypatch.setattr(hidden_layer, "gelu_linear", count)
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
    monkeypatch.setattr(choice, "_KEPT_BY_MALLOC", kept)
    with torch.no_grad():
        found = mlp(normed(norm, x))
    torch.testing.assert_close(found, expected)
    assert torch.equal(x, before)
    assert rows == expected_rows


def test_an_exported_graph_may_take_any_number_of_clips():
    """60 tokens of 1024 hidden channels a clip: one clip is below what malloc keeps, 200 are above."""
    mlp, norm = Mlp(8, hidden=1024, dim_out=8), torch.nn.LayerNorm(8)

    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.mlp, self.norm = mlp, norm

        def forward(self, x):
            return self.mlp(normed(self.norm, x))

    assert 60 * 1024 < choice._KEPT_BY_MALLOC < 200 * 60 * 1024
    clips = torch.export.Dim("clips", min=1, max=1000)
    with torch.no_grad():
        exported = torch.export.export(Both(), (torch.randn(2, 60, 8),), dynamic_shapes={"x": {0: clips}}).module()
        for count in (1, 200):
            x = torch.randn(count, 60, 8)
            torch.testing.assert_close(exported(x), mlp(normed(norm, x)))


def test_no_clips_give_no_tokens():
    with torch.no_grad():
        assert Mlp(8, hidden=32, dim_out=12)(torch.randn(0, 20, 8)).shape == (0, 20, 12)


def test_training_and_other_types_make_it_whole(monkeypatch, rows):
    monkeypatch.setattr(choice, "_KEPT_BY_MALLOC", 1)
    mlp, norm, x = Mlp(8, hidden=32, dim_out=12), torch.nn.LayerNorm(8), torch.randn(2, 20, 8)
    mlp(normed(norm, x))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        mlp(normed(norm, x))
    assert rows == [40, 40]
