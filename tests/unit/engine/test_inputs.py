"""slowfast.engine.inputs: what the network is shown, against pixels mirrored and normalised one clip at a time."""

from dataclasses import replace

import pytest
import torch

from slowfast.engine.inputs import InputPipe
from tests.unit.engine.one_step import batch_of

CPU = torch.device("cpu")
MEAN, STD = (0.45, 0.4, 0.35), (0.225, 0.25, 0.275)


def test_marked_clips_are_mirrored_and_all_are_normalised():
    batch = replace(batch_of((1, 0, 2)), flipped=torch.tensor([True, False, True]))
    found = InputPipe(CPU, mean=MEAN, std=STD)(batch)
    for k, marked in enumerate([True, False, True]):
        pixels = batch.clips[k].flip(-1) if marked else batch.clips[k]
        expected = (pixels.double() / 255 - torch.tensor(MEAN).view(3, 1, 1, 1)) / torch.tensor(STD).view(3, 1, 1, 1)
        torch.testing.assert_close(found.clips[k].double(), expected, rtol=1e-5, atol=1e-6)
    assert found.flipped is None and torch.equal(found.targets.boxes, batch.targets.boxes)


def test_the_order_of_mirroring_and_normalising_changes_no_bit():
    pipe, batch = InputPipe(CPU, mean=MEAN, std=STD), batch_of((1, 2))
    late = pipe(replace(batch, flipped=torch.tensor([False, True]))).clips
    early = pipe(replace(batch, clips=torch.stack([batch.clips[0], batch.clips[1].flip(-1)]))).clips
    assert torch.equal(late, early)


@pytest.mark.parametrize("give_boxes", [False, True])
def test_the_two_stage_model_is_given_boxes_in_pixels(give_boxes):
    pipe = InputPipe(CPU, mean=MEAN, std=STD, give_boxes=give_boxes)
    batch = pipe(batch_of((1, 0, 2)))
    clips, *boxes = pipe.arguments(batch)
    assert clips is batch.clips and len(boxes) == give_boxes
    if give_boxes:
        (regions,) = boxes
        cx, cy, w, h = (batch.targets.boxes * 16).unbind(1)  # the clips are 16 x 16
        expected = torch.stack([torch.tensor([0.0, 2, 2]), cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], dim=1)
        torch.testing.assert_close(regions, expected)
