"""The squared error of what is hidden: by hand, and however a step is divided."""

import pytest
import torch

from slowfast.losses.masked_criterion import MaskedCriterion
from slowfast.structures.outputs.masked import MaskedPredictions
from slowfast.structures.targets import Counts, Masked


def case(clips: int = 3, seed: int = 0) -> tuple[MaskedPredictions, Masked]:
    """Masks of 2 x 2 x 2 cells on 2 x 4 x 4 tokens of 5 numbers; each clip hides another number of cells."""
    generator = torch.Generator().manual_seed(seed)
    cells = torch.zeros(clips, 8, dtype=torch.bool)
    for clip in range(clips):
        cells[clip, : clip + 1] = True
    cells = cells.view(clips, 2, 2, 2)
    values, wanted = (torch.randn(clips, 2, 4, 4, 5, generator=generator) for _ in range(2))
    hidden = cells.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return MaskedPredictions((values.requires_grad_(),), (wanted,), (hidden,)), Masked(cells)


def test_by_hand():
    hidden = torch.tensor([True, False, True, False]).view(1, 1, 2, 2)
    values = torch.tensor([[1.0, 3.0], [100.0, 100.0], [0.0, 0.0], [9.0, 9.0]]).view(1, 1, 2, 2, 2)
    wanted = torch.tensor([[0.0, 1.0], [0.0, 0.0], [2.0, 0.0], [0.0, 0.0]]).view(1, 1, 2, 2, 2)
    targets = Masked(hidden)
    losses = MaskedCriterion()(MaskedPredictions((values,), (wanted,), (hidden,)), targets, per=targets.counts())
    # errors 1, 4 | 4, 0: the mean of four numbers
    assert losses.total.item() == pytest.approx(9 / 4) and losses.terms.keys() == {"mse"}
    assert targets.counts() == Counts(0, 1, 2)


def test_it_is_the_mean_over_hidden_tokens_and_no_gradient_reaches_the_others():
    predictions, targets = case()
    losses = MaskedCriterion()(predictions, targets, per=targets.counts())
    values, wanted, hidden = predictions.values[0], predictions.wanted[0], predictions.hidden[0]
    assert losses.total.item() == pytest.approx(torch.nn.functional.mse_loss(values[hidden], wanted[hidden]).item())
    losses.total.backward()
    assert values.grad[hidden].abs().min() > 0 and not values.grad[~hidden].any()


def test_parts_of_a_step_add_up_to_the_whole():
    predictions, targets = case()
    whole = MaskedCriterion()(predictions, targets, per=targets.counts()).total
    parts = []
    for rows in (slice(0, 1), slice(1, 3)):
        part = MaskedPredictions(*([tensor[rows] for tensor in name] for name in vars(predictions).values()))
        parts.append(MaskedCriterion()(part, Masked(targets.cells[rows]), per=targets.counts()).total)
    assert sum(parts).item() == pytest.approx(whole.item())


def test_several_blocks_are_named_and_added():
    predictions, targets = case()
    twice = MaskedPredictions(*(name * 2 for name in vars(predictions).values()))
    losses = MaskedCriterion()(twice, targets, per=targets.counts())
    one = MaskedCriterion()(predictions, targets, per=targets.counts())
    assert losses.terms.keys() == {"mse_0", "mse_1"} and losses.total.item() == pytest.approx(2 * one.total.item())


def test_nothing_hidden_is_zero_and_no_number_names_its_clips():
    predictions, targets = case()
    nothing = Masked(torch.zeros_like(targets.cells))
    empty = MaskedPredictions(predictions.values, predictions.wanted, (torch.zeros_like(predictions.hidden[0]),))
    assert MaskedCriterion()(empty, nothing, per=nothing.counts()).total == 0
    bad = MaskedPredictions((predictions.values[0] * float("nan"),), predictions.wanted, predictions.hidden)
    with pytest.raises(FloatingPointError, match="the loss is nan; clips: a, b"):
        MaskedCriterion()(bad, targets, per=targets.counts(), names=["a", "b"])
