import pytest
import torch
from torch import nn

from slowfast.models.detection.two_stage import RoIPostProcess, TwoStage
from slowfast.structures.clip import ClipMeta
from slowfast.structures.outputs.roi import RoIPredictions, regions_of_people
from slowfast.structures.targets import People
from tests.unit.models.test_classifier import tiny_mvit


class Painted(nn.Module):
    """A backbone whose tokens are given: (B, T', H', W', C), one per `stride` pixels."""

    def __init__(self, tokens: torch.Tensor, stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.tokens, self.stride, self.dim = tokens, stride, tokens.shape[-1]

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        return self.tokens


CLIPS = torch.zeros(2, 3, 4, 64, 128)


def painted(stride: int = 16) -> TwoStage:
    """One bright token: clip 1, frame 0, row 1, column 6 of a 4 x 8 grid; its value is averaged over 2 frames."""
    tokens = torch.zeros(2, 2, 64 // stride, 128 // stride, 1)
    tokens[1, 0, 1, 6, 0] = 8.0
    model = TwoStage(Painted(tokens, (2, stride, stride)), num_classes=1)
    nn.init.ones_(model.head.projection.weight)
    nn.init.zeros_(model.head.projection.bias)
    return model


def test_a_region_sees_its_own_clip_and_place_only():
    # Token (1, 6) has its centre at pixel x = 104, y = 24.
    boxes = torch.tensor([[1, 97.0, 17, 111, 31], [1, 0, 0, 64, 64], [0, 97, 17, 111, 31]])
    logits = painted()(CLIPS, boxes).action_logits[:, 0]
    # The mean over 2 frames; the middle of 7 x 7 cells, each of one sample, lies on the token's centre.
    assert logits.tolist() == [4, 0, 0]


def test_the_scale_is_the_backbones_stride():
    """The same pixels on a grid twice as fine: a box that is typed in pixels finds the same token."""
    tokens = torch.zeros(2, 2, 8, 16, 1)
    tokens[1, :, 3, 13, 0] = 5.0  # centre at x = 108, y = 28
    model = TwoStage(Painted(tokens, (2, 8, 8)), num_classes=1)
    nn.init.ones_(model.head.projection.weight)
    nn.init.zeros_(model.head.projection.bias)
    found = model(CLIPS, torch.tensor([[1, 104.0, 24, 112, 32]])).action_logits.item()
    assert found == pytest.approx(5.0, rel=0.2)
    assert model(CLIPS, torch.tensor([[1, 52.0, 12, 56, 16]])).action_logits.item() == 0


def test_no_boxes():
    model = TwoStage(tiny_mvit(), num_classes=3)
    predictions = model(torch.randn(2, 3, 4, 16, 16), torch.zeros(0, 5))
    assert predictions.action_logits.shape == (0, 3)
    predictions.action_logits.sum().backward()  # a batch without people still reaches every parameter of the head
    assert model.head.projection.weight.grad is not None


def test_wrong_boxes():
    with pytest.raises(
        ValueError, match=r"boxes must be \(K, 5\): batch index, xyxy in pixels of the input; got shape \(2, 4\)"
    ):
        painted()(CLIPS, torch.zeros(2, 4))


def test_exactly_one_action():
    """A softmax over the head's outputs: the sigmoids of what is returned are its probabilities."""
    torch.manual_seed(0)
    one = TwoStage(tiny_mvit(), num_classes=3, action_scores="softmax").eval()
    several = TwoStage(tiny_mvit(), num_classes=3).eval()
    several.load_state_dict(one.state_dict())
    clips, boxes = torch.randn(1, 3, 4, 16, 16), torch.tensor([[0, 1.0, 2, 9, 14], [0, 0, 0, 16, 16]])
    ours, plain = one(clips, boxes).action_logits, several(clips, boxes).action_logits
    torch.testing.assert_close(ours.sigmoid(), plain.softmax(-1))
    with pytest.raises(ValueError, match=r"'max' unknown; choose from .* \(DETECTION\.ACTION_SCORES\)"):
        TwoStage(tiny_mvit(), num_classes=3, action_scores="max")


def test_names_are_the_published_ones():
    names = set(TwoStage(tiny_mvit(), num_classes=3).state_dict())
    assert "blocks.0.attn.qkv.weight" in names and "head.projection.weight" in names
    assert not any(name.startswith("backbone.") for name in names)


def test_bfloat16_agrees_with_float32():
    torch.manual_seed(0)
    model = TwoStage(tiny_mvit(), num_classes=3).eval()
    clips, boxes = torch.randn(1, 3, 4, 16, 16), torch.tensor([[0, 1.0, 2, 9, 14]])
    plain = model(clips, boxes).action_logits
    with torch.autocast("cpu", torch.bfloat16):
        low = model(clips, boxes).action_logits
    assert torch.allclose(plain, low.float(), atol=0.05)


def test_people_become_regions_in_pixels():
    targets = People(torch.tensor([[0.5, 0.5, 1, 1], [0.25, 0.5, 0.5, 0.5]]), torch.zeros(2, 3), people_per_clip=(0, 2))
    assert regions_of_people(targets, (64, 128)).tolist() == [[1, 0, 0, 128, 64], [1, 0, 16, 64, 48]]
    nobody = People(torch.zeros(0, 4), torch.zeros(0, 3), people_per_clip=(0,))
    assert regions_of_people(nobody, (64, 128)).shape == (0, 5)


def test_post_processing_scores_actions_and_returns_to_the_frame():
    predictions = RoIPredictions(torch.tensor([[1.0, 0, 16, 64, 48]]), torch.tensor([[0.0, 2.0]]), input_size=(64, 128))
    meta = [ClipMeta("a", 1, (0, 0, 1, 1)), ClipMeta("b", 2, (1.0, 0, 0.5, 1))]  # b shows the right half, mirrored
    found = RoIPostProcess()(predictions, meta)
    assert found.clip_index.tolist() == [1] and found.actor.tolist() == [1]
    assert found.boxes[0].tolist() == pytest.approx([0.75, 0.25, 1.0, 0.75])
    assert found.scores[0].tolist() == pytest.approx([0.5, torch.tensor(2.0).sigmoid().item()])
