"""slowfast.models.detection.rivals: counted by hand, and a softmax whose probabilities are sigmoids."""

import pytest
import torch

from slowfast.models.detection.heads import log_odds_of_softmax
from slowfast.models.detection.rivals import CandidateRivals, pair_features

BOXES = torch.tensor([[[0.3, 0.3, 0.2, 0.2], [0.3, 0.3, 0.2, 0.2], [0.8, 0.8, 0.1, 0.1]]])
MARGIN = torch.tensor([[2.0, 1.0, 3.0]])


def test_pairs_by_hand():
    features = pair_features(MARGIN, BOXES)
    assert features.shape == (1, 3, 3, 5)
    torch.testing.assert_close(features[0, :, :, 0], torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]]))
    expected = torch.tanh(torch.tensor(1.0))
    torch.testing.assert_close(features[0, 1, 0, 1], expected)  # candidate 0 is likelier than candidate 1
    torch.testing.assert_close(features[0, 0, 1, 1], -expected)
    torch.testing.assert_close(features[0, 1, 0, 3], expected)  # and shows the same
    assert features[0, 0, 1, 3] == 0 and features[0, 0, 2, 3] == 0


def half_covered() -> torch.Tensor:
    return torch.tensor([[[0.5, 0.5, 0.4, 0.4], [0.7, 0.5, 0.4, 0.4]]])


def test_overlap_by_hand():
    assert float(pair_features(torch.zeros(1, 2), half_covered())[0, 0, 1, 0]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("kinds", [1, 3])
def test_at_the_start_a_likelier_one_at_the_same_place_takes_away(outputs, kinds):
    torch.manual_seed(0)
    rivals = CandidateRivals(kinds)
    logits = MARGIN[..., None] if outputs == 1 else torch.stack([MARGIN / 2, -MARGIN / 2], dim=-1)
    after = rivals(logits, BOXES)
    margin = after[..., 0] if outputs == 1 else after[..., 0] - after[..., 1]
    # only candidate 1 has a likelier one at its place; it loses 8 log(1 + 1)
    wanted = MARGIN - 8 * torch.log1p(torch.tensor([[0.0, 1.0, 0.0]]))
    torch.testing.assert_close(margin, wanted, rtol=1e-3, atol=4e-3)
    with torch.no_grad():
        rivals.weigh.weight.zero_()
    torch.testing.assert_close(rivals(logits, BOXES), logits)


def test_no_gradient_reaches_the_boxes():
    boxes = half_covered().requires_grad_()
    rivals = CandidateRivals(2)
    torch.nn.init.ones_(rivals.weigh.weight)
    logits = torch.zeros(1, 2, 1, requires_grad=True)
    rivals(logits, boxes)[0, 0].sum().backward()
    assert boxes.grad is None and logits.grad is not None


@pytest.mark.parametrize("gradients", [True, False])
def test_counts_are_those_of_the_plain_network_pair_by_pair(gradients):
    torch.manual_seed(3)
    rivals, margin, boxes = CandidateRivals(3), torch.randn(2, 5), torch.rand(2, 5, 4) * 0.4 + 0.2
    torch.nn.init.normal_(rivals.pair[2].weight)
    torch.nn.init.normal_(rivals.weigh.weight)
    plain = rivals.pair(pair_features(margin, boxes)).sigmoid() * (1 - torch.eye(5))[None, :, :, None]
    wanted = margin[..., None] + rivals.weigh(torch.log1p(plain.sum(2)))
    with torch.set_grad_enabled(gradients):
        found = rivals(margin[..., None], boxes)
    torch.testing.assert_close(found, wanted)
    if gradients:
        parameters = list(rivals.parameters())
        torch.testing.assert_close(
            torch.autograd.grad(found.square().sum(), parameters),
            torch.autograd.grad(wanted.square().sum(), parameters),
        )


def test_sigmoids_of_the_log_odds_are_the_softmax():
    logits = torch.randn(4, 6, generator=torch.Generator().manual_seed(1)) * 5
    torch.testing.assert_close(log_odds_of_softmax(logits).sigmoid(), logits.softmax(-1))
    far = log_odds_of_softmax(torch.tensor([[60.0, 0.0]]))
    torch.testing.assert_close(far, torch.tensor([[60.0, -60.0]]))  # still exact where the softmax is 1
