"""slowfast.losses.terms: each formula by hand, by its special cases, and its gradient at the ends of float32."""

import math

import pytest
import torch

from slowfast.losses.terms import action_cost, asymmetric_loss, binary_cross_entropy, focal_loss


def logit(p: float) -> torch.Tensor:
    return torch.tensor(p, dtype=torch.float64).logit()


@pytest.mark.parametrize(
    ("p", "target", "expected"), [(0.5, 1, math.log(2)), (0.9, 1, -math.log(0.9)), (0.9, 0, -math.log(0.1))]
)
def test_cross_entropy_by_hand(p, target, expected):
    assert binary_cross_entropy(logit(p), torch.tensor(float(target)).double()).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("p", "target", "alpha", "gamma", "expected"),
    [
        (0.9, 1, 0.25, 2.0, -0.25 * 0.1**2 * math.log(0.9)),
        (0.9, 0, 0.25, 2.0, -0.75 * 0.9**2 * math.log(0.1)),
        (0.9, 1, -1.0, 2.0, -(0.1**2) * math.log(0.9)),
        (0.2, 0, 0.5, 1.0, -0.5 * 0.2 * math.log(0.8)),
    ],
)
def test_focal_by_hand(p, target, alpha, gamma, expected):
    found = focal_loss(logit(p), torch.tensor(float(target)).double(), alpha=alpha, gamma=gamma)
    assert found.item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("p", "target", "expected"),
    [
        (0.7, 1, -(0.3**2) * math.log(0.7)),
        (0.7, 0, -(0.6**3) * math.log(0.4)),  # shifted by 0.1
        (0.1, 0, 0.0),
        (0.05, 0, 0.0),  # an easy negative costs nothing
    ],
)
def test_asymmetric_by_hand(p, target, expected):
    found = asymmetric_loss(logit(p), torch.tensor(float(target)).double(), gamma_pos=2.0, gamma_neg=3.0, clip=0.1)
    assert found.item() == pytest.approx(expected, abs=1e-15)


def test_without_focus_both_are_cross_entropy():
    logits = torch.linspace(-6, 6, 25, dtype=torch.float64)
    for target in (torch.zeros_like(logits), torch.ones_like(logits)):
        entropy = binary_cross_entropy(logits, target)
        torch.testing.assert_close(focal_loss(logits, target, alpha=-1, gamma=0), entropy)
        torch.testing.assert_close(focal_loss(logits, target, alpha=0.5, gamma=0), entropy / 2)
        torch.testing.assert_close(asymmetric_loss(logits, target, gamma_pos=0, gamma_neg=0, clip=0), entropy)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_losses_and_gradients_are_finite_for_any_logit(gamma, target):
    logits = torch.tensor([-200.0, -90, -30, -17, -1, 0, 1, 17, 30, 90, 200], requires_grad=True)
    wanted = torch.full_like(logits, target)
    for loss in (
        focal_loss(logits, wanted, alpha=0.25, gamma=gamma),
        asymmetric_loss(logits, wanted, gamma_pos=gamma, gamma_neg=gamma, clip=0.05),
        asymmetric_loss(logits, wanted, gamma_pos=gamma, gamma_neg=gamma, clip=0.0),
    ):
        (gradient,) = torch.autograd.grad(loss.sum(), logits)
        assert torch.isfinite(loss).all() and (loss >= 0).all()
        assert torch.isfinite(gradient).all()


def test_action_cost_equals_the_mean_cross_entropy_of_every_pair():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 3, generator=generator)
    actions = (torch.rand(4, 3, generator=generator) < 0.5).float()
    clip = torch.tensor([0, 1, 1, 1])
    found = action_cost(logits, clip, actions)
    for person in range(4):
        for token in range(5):
            expected = binary_cross_entropy(logits[clip[person], token], actions[person]).mean()
            torch.testing.assert_close(found[person, token], expected)
