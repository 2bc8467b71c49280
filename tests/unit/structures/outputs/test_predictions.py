"""slowfast.structures.outputs.predictions: one actor probability, whether the head has one logit or two."""

import pytest
import torch

from slowfast.structures.outputs.predictions import Predictions


def predictions(actor_logits: torch.Tensor) -> Predictions:
    return Predictions(actor_logits, torch.zeros(1, 3, 4), torch.zeros(1, 3, 2))


def test_two_logits_equal_one_that_is_their_difference():
    two = torch.tensor([[[2.0, -1.0], [0.0, 0.0], [-4.0, 3.0]]])
    torch.testing.assert_close(predictions(two).actor_probability, two.softmax(-1)[..., 0])
    one = predictions(two[..., :1] - two[..., 1:])
    assert one.actor_margin.tolist() == predictions(two).actor_margin.tolist() == [[3.0, 0.0, -7.0]]
    assert one.actor_probability[0, 1].item() == 0.5


@pytest.mark.parametrize("width", [1, 2])
def test_probabilities_are_float32_and_of_shape_b_n(width):
    found = predictions(torch.zeros(1, 3, width, dtype=torch.bfloat16)).actor_probability
    assert found.dtype == torch.float32 and found.shape == (1, 3)
