"""slowfast.losses.label_criterion: cross entropy by hand, soft targets, shards of a step, many labels."""

import math

import pytest
import torch

from slowfast.losses.label_criterion import LabelCriterion
from slowfast.structures.targets import Counts, Labels

LOGITS = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])


def test_one_label_by_hand():
    found = LabelCriterion()(LOGITS, Labels(torch.tensor([1, 0])), per=Counts(0, 2))
    expected = (math.log(3) + math.log(1 + 2 * math.exp(-2))) / 2
    assert found.total.item() == pytest.approx(expected, rel=1e-6) and list(found.terms) == ["label"]


def test_soft_targets_are_not_normalised():
    soft = torch.tensor([[0.5, 0.25, 0.0], [0.0, 0.0, 1.0]])
    found = LabelCriterion()(LOGITS, Labels(soft), per=Counts(0, 2))
    expected = (0.75 * math.log(3) + 2 + math.log(1 + 2 * math.exp(-2))) / 2
    assert found.total.item() == pytest.approx(expected, rel=1e-6)


def test_halves_of_a_step_sum_to_the_whole():
    labels = torch.tensor([1, 0])
    halves = [LabelCriterion()(LOGITS[k : k + 1], Labels(labels[k : k + 1]), per=Counts(0, 2)).total for k in (0, 1)]
    whole = LabelCriterion()(LOGITS, Labels(labels), per=Counts(0, 2)).total
    assert sum(halves).item() == pytest.approx(whole.item(), rel=1e-6)


def test_many_labels_by_hand():
    hot = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 1.0]])
    found = LabelCriterion(multi_label=True)(LOGITS, Labels(hot), per=Counts(0, 2))
    first, second = math.log(2), (math.log(1 + math.exp(-2)) + 2 * math.log(2)) / 3
    assert found.total.item() == pytest.approx((first + second) / 2, rel=1e-6)


def test_a_loss_that_is_not_finite_names_the_clips():
    with pytest.raises(FloatingPointError, match="the loss is nan; clips: view 0 of a"):
        LabelCriterion()(LOGITS * math.nan, Labels(torch.tensor([0, 1])), per=Counts(0, 2), names=["view 0 of a"])
