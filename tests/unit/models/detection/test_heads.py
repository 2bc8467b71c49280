"""slowfast.models.detection.heads: where boxes start, and shapes."""

import math

import pytest
import torch
from torch import nn

from slowfast.models.detection.heads import BMViTHeads, make_mlp
from slowfast.structures.outputs.predictions import Predictions

GRID = (4, 2, 3)


def heads(**changes) -> BMViTHeads:
    torch.manual_seed(0)
    arguments = {
        "num_classes": 5,
        "hidden": 8,
        "depth": 3,
        "actor_logits": 1,
        "box_prior": True,
        "prior_size": None,
    }
    return BMViTHeads(6, **(arguments | changes))


def run(module: BMViTHeads, candidates: int = 6, batch: int = 2) -> Predictions:
    tokens = torch.randn(batch, candidates, 6, generator=torch.Generator().manual_seed(1))
    return module(tokens, tokens.flip(1), GRID)


@pytest.mark.parametrize(("prior_size", "size"), [(None, (1 / 3, 1 / 2)), ((0.2, 0.6), (0.2, 0.6))])
@pytest.mark.parametrize("slices", [1, 4])
def test_boxes_start_at_the_prior(prior_size, size, slices):
    boxes = run(heads(prior_size=prior_size), candidates=6 * slices).boxes
    centres = [(x, y) for y in (0.25, 0.75) for x in (1 / 6, 1 / 2, 5 / 6)] * slices
    expected = torch.tensor([[*centre, *size] for centre in centres])
    torch.testing.assert_close(boxes, expected.expand(2, -1, -1), rtol=0, atol=1e-6)


def test_the_head_moves_the_box_from_its_prior_in_logits():
    module = heads(prior_size=(0.2, 0.6))
    nn.init.constant_(module.box[-1].bias, 0.5)
    boxes = run(module).boxes
    assert boxes[0, 0, 0].item() == pytest.approx(1 / (1 + math.exp(-(math.log(1 / 5) + 0.5))), abs=1e-6)
    assert boxes[0, 0, 2].item() == pytest.approx(1 / (1 + math.exp(-(math.log(0.25) + 0.5))), abs=1e-6)


def test_without_a_prior_the_boxes_depend_on_the_token_only():
    module = heads(box_prior=False)
    tokens = torch.randn(1, 1, 6).expand(1, 6, 6)
    boxes = module(tokens, tokens, GRID).boxes
    torch.testing.assert_close(boxes, boxes[:, :1].expand_as(boxes))
    nn.init.zeros_(module.box[-1].weight)
    nn.init.zeros_(module.box[-1].bias)
    assert module(tokens, tokens, GRID).boxes.unique().tolist() == [0.5]
    assert not torch.equal(heads(box_prior=False).box[-1].weight, torch.zeros_like(module.box[-1].weight))


def test_a_prior_as_large_as_the_frame_is_finite():
    assert torch.isfinite(heads(prior_size=(1.0, 1.0)).prior_logits(GRID, 6, torch.device("cpu"))).all()


def test_actions_start_at_their_prior_probability():
    module = heads(action_prior=0.02)
    nn.init.zeros_(module.action[-1].weight)
    torch.testing.assert_close(run(module).action_logits.sigmoid(), torch.full((2, 6, 5), 0.02))


def test_boxes_and_actors_read_the_box_tokens_and_actions_the_action_tokens():
    module = heads(box_prior=False)
    a, b = torch.randn(1, 6, 6), torch.randn(1, 6, 6)
    base, other_actions, other_boxes = module(a, a, GRID), module(a, b, GRID), module(b, a, GRID)
    assert torch.equal(base.boxes, other_actions.boxes) and torch.equal(base.actor_logits, other_actions.actor_logits)
    assert not torch.equal(base.action_logits, other_actions.action_logits)
    assert torch.equal(base.action_logits, other_boxes.action_logits)
    assert not torch.equal(base.boxes, other_boxes.boxes)


@pytest.mark.parametrize("actor_logits", [1, 2])
def test_shapes(actor_logits):
    found = run(heads(actor_logits=actor_logits))
    assert found.actor_logits.shape == (2, 6, actor_logits)
    assert found.boxes.shape == (2, 6, 4) and found.action_logits.shape == (2, 6, 5)


def test_boxes_are_float32_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        found = run(heads())
    assert found.action_logits.dtype == torch.bfloat16  # autocast was on
    assert found.boxes.dtype == torch.float32


def test_three_actor_logits_are_refused():
    with pytest.raises(ValueError, match=r"actor logits must be 1 or 2, got 3 \(BMVIT.ACTOR_LOGITS\)"):
        heads(actor_logits=3)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_mlp_depth_counts_linear_layers(depth):
    mlp = make_mlp(6, hidden=7, dim_out=4, depth=depth)
    linear = [layer for layer in mlp if isinstance(layer, nn.Linear)]
    assert len(linear) == depth and (linear[0].in_features, linear[-1].out_features) == (6, 4)
    assert isinstance(mlp[-1], nn.Linear)  # logits are not cut off at 0
