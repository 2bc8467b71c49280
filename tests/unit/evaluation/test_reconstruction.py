"""The result of a masked pre-training: sums of clips, in any order and on any process."""

import numpy as np
import pytest
import torch

from slowfast.evaluation.reconstruction import ReconstructionEvaluator, sums_of_clips
from slowfast.structures.clip import ViewMeta
from slowfast.structures.outputs.masked import MaskedPredictions

METAS = tuple(ViewMeta(name, 0) for name in "abc")


def predictions(seed: int = 0, blocks: int = 1) -> MaskedPredictions:
    generator = torch.Generator().manual_seed(seed)
    shape = (3, 2, 4, 4)
    values = tuple(torch.randn(*shape, 5, generator=generator) for _ in range(blocks))
    wanted = tuple(torch.randn(*shape, 5, generator=generator) + torch.arange(5.0) for _ in range(blocks))
    return MaskedPredictions(values, wanted, (torch.rand(shape, generator=generator) < 0.4,) * blocks)


def rows(found: MaskedPredictions, which: slice) -> MaskedPredictions:
    return MaskedPredictions(*(tuple(tensor[which] for tensor in name) for name in vars(found).values()))


def evaluated(*pieces: tuple[MaskedPredictions, tuple[ViewMeta, ...]]):
    evaluator = ReconstructionEvaluator()
    for found, metas in pieces:
        evaluator.process(sums_of_clips(found), metas)
    return evaluator


def test_it_is_one_minus_error_over_variance_of_all_hidden_tokens():
    found = predictions()
    result = evaluated((found, METAS)).evaluate()
    hidden = found.hidden[0]
    values, wanted = found.values[0][hidden].numpy(), found.wanted[0][hidden].numpy()
    assert result.mse == pytest.approx([np.square(values - wanted).mean()])
    assert result.variance == pytest.approx([wanted.astype(np.float64).var(axis=0).mean()])
    assert result.headline == ("explained", pytest.approx(1 - result.mse[0] / result.variance[0]))
    assert (result.clips, result.tokens) == (3, int(hidden.sum()))
    assert result.summary() == {"explained": result.explained, "loss": result.mse[0]}
    assert result.report()["hidden_tokens"] == result.tokens and f"{result.mse[0]:.5f}" in result.table()


def test_the_mean_explains_nothing_and_the_truth_everything():
    found = predictions()
    mean = found.wanted[0][found.hidden[0]].mean(0)
    flat = MaskedPredictions((mean.expand_as(found.wanted[0]),), found.wanted, found.hidden)
    assert evaluated((flat, METAS)).evaluate().explained == pytest.approx(0, abs=1e-6)
    assert evaluated((MaskedPredictions(found.wanted, found.wanted, found.hidden), METAS)).evaluate().explained == 1


def test_batches_order_and_processes_change_nothing():
    found = predictions(blocks=2)
    whole = evaluated((found, METAS)).evaluate()
    first, second = (rows(found, slice(2, 3)), METAS[2:]), (rows(found, slice(0, 2)), METAS[:2])
    other = evaluated(second)
    shared = evaluated(first).evaluate(gather=lambda mine: [mine, other._sums])
    assert shared == whole and len(whole.mse) == 2
    assert whole.summary()["loss"] == sum(whole.mse) and set(whole.summary()) >= {"mse/0", "mse/1"}


def test_nothing_and_repeats_are_errors():
    with pytest.raises(ValueError, match="no clip was processed"):
        ReconstructionEvaluator().evaluate()
    with pytest.raises(ValueError, match="more than once"):
        evaluated((predictions(), METAS), (predictions(1), METAS)).evaluate()
    found = predictions()
    seen = MaskedPredictions(found.values, found.wanted, (torch.zeros_like(found.hidden[0]),))
    with pytest.raises(ValueError, match=r"nothing was hidden .*AUG\.MASK_RATIO"):
        evaluated((seen, METAS)).evaluate()
