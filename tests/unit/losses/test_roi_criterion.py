import math

import pytest
import torch

from slowfast.losses.roi_criterion import RoICriterion
from slowfast.structures.roi import RoIPredictions
from slowfast.structures.targets import People


def predictions(logits: torch.Tensor) -> RoIPredictions:
    return RoIPredictions(torch.zeros(len(logits), 5), logits, (8, 8))


def targets(actions: torch.Tensor) -> People:
    return People(torch.full((len(actions), 4), 0.5), actions, (len(actions),))


def test_zero_logits_cost_log_two_per_person():
    losses = RoICriterion()(predictions(torch.zeros(3, 5)), targets(torch.eye(5)[:3]), num_people=3, num_clips=1)
    assert losses["action"].item() == pytest.approx(math.log(2))


def test_halves_of_a_batch_sum_to_the_whole():
    logits, actions = torch.randn(4, 5), (torch.rand(4, 5) < 0.5).float()
    criterion = RoICriterion(weight=2.0)
    whole = criterion(predictions(logits), targets(actions), num_people=4, num_clips=2)
    parts = [
        criterion(predictions(logits[rows]), targets(actions[rows]), num_people=4, num_clips=2)
        for rows in (slice(0, 1), slice(1, 4))
    ]
    assert sum(part["action"] for part in parts).item() == pytest.approx(whole["action"].item(), rel=1e-6)
    assert criterion.weighted_sum(whole).item() == pytest.approx(2 * whole["action"].item())


def test_nobody():
    logits = torch.zeros(0, 5, requires_grad=True)
    loss = RoICriterion()(predictions(logits), targets(torch.zeros(0, 5)), num_people=0, num_clips=1)["action"]
    assert loss.item() == 0
    loss.backward()
    assert logits.grad.shape == (0, 5)


def test_errors():
    with pytest.raises(ValueError, match="2 boxes were scored, but the targets have 3 people"):
        RoICriterion()(predictions(torch.zeros(2, 5)), targets(torch.zeros(3, 5)), num_people=3, num_clips=1)
    with pytest.raises(FloatingPointError, match="the action loss is nan; clips: a at 902"):
        RoICriterion()(
            predictions(torch.full((1, 5), math.nan)),
            targets(torch.zeros(1, 5)),
            num_people=1,
            num_clips=1,
            clip_names=["a at 902"],
        )
