"""From a network and a clip to the tokens of its people and what these looked at."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from slowfast.inference.choose import Choice
from slowfast.inference.explain.collector import Collector
from slowfast.inference.explain.explainer import Explainer
from slowfast.inference.explain.recorder import AttentionRecorder
from slowfast.inference.streams.clip_stream import StreamedClip
from slowfast.models.backbones.vit import ViT
from slowfast.structures.outputs.moment import ActionClass, ActionScore, Moment, Person
from tests.unit.layers.test_mvit_block import tiny_mvit
from tests.unit.models.tiny import random_clips, tiny_bmvit

WHOLE = (0.0, 0.0, 1.0, 1.0)


def person(token: int | None, score: float = 0.9) -> Person:
    return Person((0.1, 0.1, 0.5, 0.5), (1, 1, 8, 8), score, (ActionScore("walk", 1, score / 2),), None, token)


def clip_of(pixels: torch.Tensor, region=WHOLE, time: float = 0.0) -> StreamedClip:
    return StreamedClip(time, (16, 16), pixels, region, 0)


def explained(model, people, *, region=WHOLE, row=0, clips=None):
    clips = random_clips(2) if clips is None else clips
    with torch.no_grad(), Explainer(model.eval()) as explainer:
        model(clips)
        pixels = torch.arange(4).view(1, 4, 1, 1).expand(3, 4, 16, 16).to(torch.uint8)
        return explainer(clip_of(pixels, region), row, Moment(0.0, (16, 16), tuple(people)))


def test_the_cell_is_where_the_token_stands_in_the_original_frame():
    made = explained(tiny_bmvit(), [person(0), person(1), person(2)], region=(0.5, 0.0, 1.0, 1.0))
    assert [one.cell for one in made.people] == [(0, 0), (0, 1), (1, 0)]
    assert [one.cell_box for one in made.people] == [(0.5, 0, 0.75, 0.5), (0.75, 0, 1.0, 0.5), (0.5, 0.5, 0.75, 1.0)]
    # Candidates of every slice: the place within the slice.
    assert explained(tiny_bmvit(box_tokens="all"), [person(6)]).people[0].cell == (1, 0)


def test_pictures_are_of_the_slices_and_the_key_frame():
    made = explained(tiny_bmvit(), [person(0)])
    assert made.pictures.shape == (2, 16, 16, 3) and made.key_slice == 1
    assert made.pictures[:, 0, 0, 0].tolist() == [1, 2]  # the key frame is the third of four


@pytest.mark.parametrize("class_token", [False, True])
@pytest.mark.parametrize("box_tokens", ["central_pair", "all"])
def test_attention_is_a_share_and_more_than_a_fair_one_of_the_token_itself(class_token, box_tokens):
    made = explained(tiny_bmvit(class_token=class_token, box_tokens=box_tokens), [person(n) for n in range(4)])
    assert made.blocks == (1,)
    for one in made.people:
        for heat in (one.box_attention, one.action_attention):
            assert heat.shape == (2, 4, 4) and heat.min() > 0
            assert heat.sum() == pytest.approx(1, abs=1e-6)
        # The squares of 2 x 2 places in which the four cells lie; the window of a pooled skip goes over into others, which
        # may have a little more by the drawn weights.
        squares = one.box_attention.sum(0).reshape(2, 2, 2, 2).sum((1, 3))
        assert squares[one.cell[0], one.cell[1]] > 0.3


def test_which_slices_a_token_is_made_of():
    """Of the candidates of all slices, each stands in one; of the central pair in two."""
    late = explained(tiny_bmvit(box_tokens="all", action_tokens="same"), [person(4)]).people[0]
    assert late.box_attention[1].sum() > 0.6 and np.array_equal(late.box_attention, late.action_attention)
    both = explained(tiny_bmvit(), [person(0)]).people[0].box_attention.sum((1, 2))
    assert both == pytest.approx([0.5, 0.5], abs=0.05)


def test_a_batch_is_not_mixed_up():
    model, clips = tiny_bmvit(), random_clips(3)
    for parameter in model.backbone.parameters():
        nn.init.normal_(parameter, std=1.0, generator=torch.Generator().manual_seed(1))
    alone = [explained(model, [person(2)], clips=clips[i : i + 1]).people[0].box_attention for i in range(3)]
    assert not np.allclose(alone[0], alone[1], atol=1e-3)
    for i in range(3):
        together = explained(model, [person(2)], clips=clips, row=i).people[0].box_attention
        np.testing.assert_allclose(together, alone[i], atol=1e-5)


def test_the_recorded_weights_are_those_of_the_last_stage_and_of_a_batch():
    model = tiny_mvit(class_token=True).eval()
    with torch.no_grad(), AttentionRecorder(model) as recorder:
        model(torch.randn(2, 3, 4, 32, 32))
        recorded = recorder.of_clip(1)
    assert recorder.numbers == (1, 2)  # the last pooling of queries is in block 1
    assert [(b.grid, b.q_grid, b.k_grid) for b in recorded] == [
        ((2, 8, 8), (2, 4, 4), (2, 4, 4)),
        ((2, 4, 4), (2, 4, 4), (2, 2, 2)),
    ]
    for one in recorded:
        torch.testing.assert_close(one.weights.sum(1), torch.ones(1 + 32))
    assert (recorded[0].skip is None, recorded[1].skip is None) == (False, True)
    assert not model.blocks[1].attn._forward_pre_hooks  # nothing stays behind


def test_a_plain_vit_has_one_stage():
    vit = ViT(depth=3, dim=8, num_heads=2, tubelet=(2, 8, 8), pretraining_size=(4, 16, 16)).eval()
    with torch.no_grad(), AttentionRecorder(vit) as recorder:
        vit(random_clips(1))
        assert recorder.numbers == (0, 1, 2) and recorder.of_clip(0)[2].weights.shape == (8, 8)


def test_what_cannot_be_explained_is_said():
    with pytest.raises(ValueError, match=r"this model \(Linear, MODEL.MODEL_NAME\) may find people in another way"):
        Explainer(nn.Linear(2, 2))
    with pytest.raises(
        ValueError, match=r"the backbone of this model \(Linear, MODEL.BACKBONE\) has others; leave --exp"
    ):
        AttentionRecorder(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="some of these have none"):
        explained(tiny_bmvit(), [person(None)])


def test_pictures_are_kept_evenly_and_no_more_than_so_many():
    asked = []

    def explainer(clip, row, moment):
        asked.append(moment.time)
        return SimpleNamespace(time=moment.time)

    classes = (ActionClass(0, 1, "walk"), ActionClass(1, 2, "sit"))
    collector = Collector(explainer, Choice(classes, 0.5), most=4)
    for second in range(13):
        people = (person(0), person(1, score=0.2))
        collector.see(clip_of(torch.zeros(3, 4, 2, 2), time=second), 0, Moment(second, (2, 2), people))
    assert [one.time for one in collector.kept] == [0, 4, 8, 12] and collector.stride == 4
    assert len(asked) == 8  # 0 to 4, then every second one, then every fourth
    assert len(collector.moments) == 13
    # Who is told, with all that it does: the score of the action is below the one that is asked for.
    assert [[a.score for a in p.actions] for p in collector.moments[0].people] == [[0.45]]
