"""slowfast.models.detection.bmvit: one return type, and deep supervision in training only."""

import pytest
import torch

from slowfast.models.detection.token_select import ACTION_TOKENS, BOX_TOKENS
from slowfast.structures.outputs.predictions import Predictions
from tests.unit.models.tiny import random_clips, tiny_bmvit


@pytest.mark.parametrize("action_tokens", ACTION_TOKENS)
@pytest.mark.parametrize("box_tokens", BOX_TOKENS)
def test_one_return_type_in_train_and_eval(box_tokens, action_tokens):
    model = tiny_bmvit(box_tokens=box_tokens, action_tokens=action_tokens)
    candidates = 8 if box_tokens == "all" else 4
    clips = random_clips(2)
    outputs = [model.train()(clips), model.eval()(clips)]
    for found in outputs:
        assert isinstance(found, Predictions) and found.auxiliary == ()
        assert found.boxes.shape == (2, candidates, 4)
        assert found.actor_logits.shape == (2, candidates, 1) and found.action_logits.shape == (2, candidates, 3)
    torch.testing.assert_close(outputs[0].boxes, outputs[1].boxes)  # nothing random is on in this model


def test_auxiliary_predictions_exist_in_training_only():
    model = tiny_bmvit(aux=True)
    (auxiliary,) = model.train()(random_clips(2)).auxiliary
    assert auxiliary.boxes.shape == (2, 16, 4)  # block 0 has 4 x 4 places
    assert model.eval()(random_clips(2)).auxiliary == ()


def test_clips_do_not_see_each_other():
    model, clips = tiny_bmvit().eval(), random_clips(3)
    together = model(clips)
    alone = model(clips[1:2])
    torch.testing.assert_close(together.boxes[1:2], alone.boxes)
    torch.testing.assert_close(together.action_logits[1:2], alone.action_logits)


def test_other_sizes_and_a_class_token_work():
    model = tiny_bmvit(class_token=True, position="separable").eval()
    found = model(torch.randn(1, 3, 8, 32, 24))
    assert found.boxes.shape == (1, 4 * 3, 4)  # 32 x 24 pixels, 8 pixels a token
    prior = found.boxes[0, :, :2]
    torch.testing.assert_close(prior[0], torch.tensor([1 / 6, 1 / 8]), atol=1e-5, rtol=0)
    torch.testing.assert_close(prior[-1], torch.tensor([5 / 6, 7 / 8]), atol=1e-5, rtol=0)


def test_the_backbone_gives_the_token_grid():
    assert tiny_bmvit(class_token=True).backbone(random_clips(2)).shape == (2, 2, 2, 2, 16)
