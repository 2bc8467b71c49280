"""slowfast.solver.ema: the average by hand."""

import pytest
import torch
from torch import nn

from slowfast.solver.ema import WeightAverage
from tests.unit.models.tiny import tiny_bmvit


def test_the_average_by_hand():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    average = WeightAverage(model, decay=0.9)
    nn.init.constant_(model.weight, 2.0)
    average.update(model)
    assert average.average.weight.item() == pytest.approx(1.1)
    average.update(model)
    assert average.average.weight.item() == pytest.approx(0.9 * 1.1 + 0.1 * 2)
    assert model.weight.item() == 2.0
    assert not average.average.weight.requires_grad and not average.average.training


def test_buffers_follow_and_counters_are_copied():
    model = nn.BatchNorm1d(2)
    average = WeightAverage(model, decay=0.5)
    model(torch.randn(8, 2) + 10)
    average.update(model)
    torch.testing.assert_close(average.average.running_mean, model.running_mean / 2)
    assert average.average.num_batches_tracked.item() == 1


def test_all_parameters_of_a_detector_are_averaged():
    """Its state dict renames some of them, so the names must agree on both sides."""
    model = tiny_bmvit(class_token=True, position="separable", aux=True)
    average = WeightAverage(model, decay=0.75)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1.0)
    average.update(model)
    for name, p in average.average.named_parameters():
        torch.testing.assert_close(p, before[name] + 0.25, msg=name)


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.1])
def test_decay_out_of_range(decay):
    with pytest.raises(
        ValueError, match=rf"EMA decay must be in \(0, 1\), got {decay} \(SOLVER.EMA_DECAY; 0 turns it off\)"
    ):
        WeightAverage(nn.Linear(1, 1), decay=decay)
