"""slowfast.solver.schedule: factors by hand."""

import math

import pytest
import torch

from slowfast.solver.schedule import Schedule, cosine, steps


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [(0, 1.0), (5, 0.1 + 0.9 / 2), (10, 0.1), (10.5, 0.1), (2.5, 0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)],
)
def test_cosine_by_hand(epoch, expected):
    assert cosine(10, end_factor=0.1)(epoch) == pytest.approx(expected)


@pytest.mark.parametrize(("epoch", "expected"), [(0, 1.0), (2, 1.0), (6, 0.1 + 0.9 / 2), (10, 0.1), (11, 0.1)])
def test_a_cosine_that_begins_later_by_hand(epoch, expected):
    assert cosine(10, end_factor=0.1, begin=2)(epoch) == pytest.approx(expected)


def test_a_warm_up_as_long_as_training_ends_at_the_base_rate():
    schedule = Schedule(cosine(10, end_factor=0.1, begin=10), warmup_epochs=10)
    assert [schedule.factor(epoch) for epoch in (0, 5, 10)] == [0, 0.5, 1]


@pytest.mark.parametrize(("epoch", "expected"), [(0, 1.0), (2.999, 1.0), (3, 0.1), (4.5, 0.1), (5, 0.01), (99, 0.01)])
def test_steps_by_hand(epoch, expected):
    assert steps([0, 3, 5], [1.0, 0.1, 0.01])(epoch) == expected


@pytest.mark.parametrize(
    ("boundaries", "factors"), [([], []), ([1, 2], [1, 2]), ([0, 5, 3], [1, 2, 3]), ([0, 3], [1.0])]
)
def test_steps_that_cannot_be(boundaries, factors):
    with pytest.raises(
        ValueError, match=r"SOLVER.STEPS .* must rise from 0 and have one factor each in SOLVER.LRS, got"
    ):
        steps(boundaries, factors)


def test_warm_up_meets_the_policy():
    schedule = Schedule(cosine(10), warmup_epochs=2, warmup_start=0.2)
    top = (1 + math.cos(math.pi / 5)) / 2
    assert schedule.factor(0) == pytest.approx(0.2)
    assert schedule.factor(1) == pytest.approx((0.2 + top) / 2)
    assert schedule.factor(2) == pytest.approx(top)
    assert schedule.factor(2 - 1e-9) == pytest.approx(top)
    assert schedule.factor(10) == pytest.approx(0, abs=1e-12)
    stepped = Schedule(steps([0, 1], [1.0, 0.5]), warmup_epochs=2)
    assert [stepped.factor(e) for e in (0, 1, 2, 3)] == [0, 0.25, 0.5, 0.5]


def test_without_warm_up_the_policy_holds_from_the_first_step():
    assert Schedule(cosine(10)).factor(0) == 1.0


def test_every_group_keeps_its_own_rate():
    a, b = torch.nn.Parameter(torch.zeros(1)), torch.nn.Parameter(torch.zeros(1))
    groups = [{"params": [a], "lr": 9.0, "base_lr": 0.1}, {"params": [b], "lr": 9.0, "base_lr": 0.8}]
    optimizer = torch.optim.AdamW(groups, lr=1.0)
    assert Schedule(steps([0, 1], [1.0, 0.5])).apply(optimizer, 1.5) == 0.5
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.4]
