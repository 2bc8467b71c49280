"""Stochastic depth keeps whole clips, and keeps the mean of the branch (Huang et al. 2016)."""

import pytest
import torch

from slowfast.layers.drop_path import DropPath


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5])
def test_a_clip_is_dropped_whole_or_scaled(rate):
    torch.manual_seed(0)
    clips = 20_000
    out = DropPath(rate).train()(torch.full((clips, 2, 3), 2.0))
    each = out.flatten(1)
    assert torch.equal(each, each[:, :1].expand_as(each))
    kept = each[:, 0] != 0
    torch.testing.assert_close(each[kept, 0], torch.full((int(kept.sum()),), 2 / (1 - rate)))
    spread = (rate * (1 - rate) / clips) ** 0.5
    assert abs(kept.float().mean().item() - (1 - rate)) < 5 * spread
    assert out.mean().item() == pytest.approx(2, abs=2 * 5 * spread / (1 - rate))


def test_the_gradient_is_scaled_alike():
    torch.manual_seed(0)
    x = torch.randn(50, 4, requires_grad=True)
    out = DropPath(0.5).train()(x)
    out.sum().backward()
    torch.testing.assert_close(x.grad, (out != 0) * 2.0)


def test_nothing_happens_in_a_test_or_at_rate_zero():
    x = torch.randn(5, 3)
    assert DropPath(0.5).eval()(x) is x
    assert DropPath(0).train()(x) is x


def test_no_clips_and_other_types():
    assert DropPath(0.5).train()(torch.randn(0, 3)).shape == (0, 3)
    assert DropPath(0.5).train()(torch.randn(4, 3).bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5])
def test_impossible_rates_name_the_key(rate):
    with pytest.raises(ValueError, match=r"drop path rate must be in \[0, 1\), got .* \(MVIT.DROPPATH_RATE\)"):
        DropPath(rate)
