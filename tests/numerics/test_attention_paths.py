"""The fused attention gives the values and gradients of the plain one: every grid, with and without class token."""

import pytest
import torch
import torch.nn.functional as F

from slowfast.layers import kernels
from slowfast.layers.attention import attend_plain
from slowfast.layers.kernels.attention import attend_fused

GRIDS = [  # queries, keys
    ((2, 4, 4), (2, 2, 2)),
    ((2, 4, 6), (2, 4, 6)),
    ((3, 5, 7), (3, 3, 4)),  # the kv stride does not divide the grid
    ((4, 2, 3), (4, 4, 6)),  # fewer queries than keys
    ((1, 6, 5), (1, 2, 5)),
    ((8, 1, 1), (4, 1, 1)),
]
HEAD_DIM = 12


def make(q_grid, k_grid, class_token, *, axes=(True, True, True), dtype=torch.float32):
    """q, k, v of 2 clips and 3 heads, and tables as they are after training on another grid: they get resized."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator).to(dtype).requires_grad_()

    lengths = [grid[0] * grid[1] * grid[2] + class_token for grid in (q_grid, k_grid, k_grid)]
    q, k, v = (draw(2, 3, length, HEAD_DIM) for length in lengths)
    return q, k, v, tuple(draw(9, HEAD_DIM) if used else None for used in axes)


def values_and_gradients(function, q, k, v, tables, **options):
    out = function(q, k, v, tables, **options)
    leaves = [q, k, v, *(table for table in tables if table is not None)]
    direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, leaves, direction)]


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize(("q_grid", "k_grid"), GRIDS)
@pytest.mark.parametrize("axes", [(True, True, True), (False, True, True), (True, False, False), (False,) * 3])
def test_float32_agrees(q_grid, k_grid, class_token, axes):
    options = {"q_grid": q_grid, "k_grid": k_grid, "class_token": class_token}
    inputs = make(q_grid, k_grid, class_token, axes=axes)
    plain = values_and_gradients(attend_plain, *inputs, **options)
    fused = values_and_gradients(attend_fused, *inputs, **options)
    largest = max(expected.abs().max() for expected in plain)
    for found, expected in zip(fused, plain, strict=True):
        size = expected.abs().max()
        # A bias that all keys share cancels in the softmax: its gradient is zero but for rounding on both paths.
        assert (found - expected).abs().max() <= 1e-5 * (size if size > 1e-4 * largest else largest)


@pytest.mark.parametrize("class_token", [True, False])
def test_bfloat16_deviates_no_more_than_the_plain_path(class_token):
    """Measured as root mean square over the outputs; a tenth more is the spread between two roundings of one number."""
    options = {"q_grid": (4, 6, 6), "k_grid": (4, 3, 3), "class_token": class_token}
    exact = attend_plain(*make((4, 6, 6), (4, 3, 3), class_token), **options)
    low = make((4, 6, 6), (4, 3, 3), class_token, dtype=torch.bfloat16)
    plain, fused = (function(*low, **options).float() for function in (attend_plain, attend_fused))
    deviation_plain, deviation_fused = ((out - exact).square().mean().sqrt() for out in (plain, fused))
    assert 0 < deviation_fused <= 1.1 * deviation_plain


def test_by_hand():
    """One query at the second of two places in a row, keys without content: the logits are the biases alone."""
    q = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
    k, v = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    table = torch.tensor([[0.1, 0.0], [0.2, 0.0], [0.7, 0.0]])  # distances -1, 0, 1
    options = {"q_grid": (1, 1, 2), "k_grid": (1, 1, 2), "class_token": False}
    expected = torch.tensor([[0.2, 0.1], [0.7, 0.2]]).softmax(-1)
    for function in (attend_plain, attend_fused):
        torch.testing.assert_close(function(q, k, v, (None, None, table), **options)[0, 0], expected)


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("k_grid", [(2, 2, 2), (3, 3, 4), (2, 1, 1), (2, 3, 1)])
def test_widths_are_those_that_fused_kernels_of_a_gpu_take(monkeypatch, k_grid, class_token):
    """One width for q, k and v, and a multiple of 8: others leave cuDNN's kernel and the float32 one out."""
    given, attention = [], F.scaled_dot_product_attention

    def spy(*tensors, **options):
        given.extend(tensors)
        return attention(*tensors, **options)

    monkeypatch.setattr(F, "scaled_dot_product_attention", spy)
    attend_fused(*make(k_grid, k_grid, class_token), q_grid=k_grid, k_grid=k_grid, class_token=class_token)
    width = HEAD_DIM + sum(k_grid)
    assert [tensor.shape[-1] for tensor in given] == [(width + 7) // 8 * 8] * 3


def test_plain_is_a_scope(monkeypatch):
    calls = []
    for name in ("attend_plain", "attend_fused"):
        monkeypatch.setattr(f"slowfast.layers.kernels.attention.{name}", lambda *_, name=name, **__: calls.append(name))
    arguments = {"q_grid": (1, 1, 1), "k_grid": (1, 1, 1), "class_token": False}
    kernels.attend(None, None, None, (None,) * 3, **arguments)
    with pytest.raises(KeyError), kernels.plain():
        kernels.attend(None, None, None, (None,) * 3, **arguments)
        raise KeyError
    kernels.attend(None, None, None, (None,) * 3, **arguments)
    assert calls == ["attend_fused", "attend_plain", "attend_fused"]
