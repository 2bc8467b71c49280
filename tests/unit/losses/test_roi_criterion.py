import math

import pytest
import torch

from slowfast.losses.roi_criterion import RoICriterion
from slowfast.structures.outputs.roi import RoIPredictions
from slowfast.structures.targets import Counts, People


def predictions(logits: torch.Tensor) -> RoIPredictions:
    return RoIPredictions(torch.zeros(len(logits), 5), logits, (8, 8))


def targets(actions: torch.Tensor) -> People:
    return People(torch.full((len(actions), 4), 0.5), actions, (len(actions),))


def test_zero_logits_cost_log_two_per_person():
    losses = RoICriterion()(predictions(torch.zeros(3, 5)), targets(torch.eye(5)[:3]), per=Counts(3, 1))
    assert losses.terms["action"].item() == pytest.approx(math.log(2))


def test_halves_of_a_batch_sum_to_the_whole():
    logits, actions = torch.randn(4, 5), (torch.rand(4, 5) < 0.5).float()
    criterion = RoICriterion(weight=2.0)
    whole = criterion(predictions(logits), targets(actions), per=Counts(4, 2))
    parts = [
        criterion(predictions(logits[rows]), targets(actions[rows]), per=Counts(4, 2))
        for rows in (slice(0, 1), slice(1, 4))
    ]
    assert sum(part.terms["action"] for part in parts).item() == pytest.approx(whole.terms["action"].item(), rel=1e-6)
    assert whole.total.item() == pytest.approx(2 * whole.terms["action"].item())


def test_nobody():
    logits = torch.zeros(0, 5, requires_grad=True)
    loss = RoICriterion()(predictions(logits), targets(torch.zeros(0, 5)), per=Counts(0, 1)).terms["action"]
    assert loss.item() == 0
    loss.backward()
    assert logits.grad.shape == (0, 5)


def test_errors():
    with pytest.raises(ValueError, match="2 boxes were scored, but the targets have 3 people"):
        RoICriterion()(predictions(torch.zeros(2, 5)), targets(torch.zeros(3, 5)), per=Counts(3, 1))
    with pytest.raises(FloatingPointError, match="the action loss is nan; clips: a at 902"):
        RoICriterion()(
            predictions(torch.full((1, 5), math.nan)),
            targets(torch.zeros(1, 5)),
            per=Counts(1, 1),
            names=["a at 902"],
        )
