"""slowfast.engine.device.inputs: what the network is shown, against pixels mirrored and normalised one clip at a time."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from slowfast.datasets.augment.colours import ClipColours, ColourFactors
from slowfast.engine.device.inputs import Inputs
from slowfast.engine.device.precision import Precision
from slowfast.structures.targets import Labels
from slowfast.tasks.localization import Localization
from slowfast.tasks.two_stage import TwoStage
from tests.unit.engine.one_step import batch_of

CPU = torch.device("cpu")
MEAN, STD = (0.45, 0.4, 0.35), (0.225, 0.25, 0.275)


def test_marked_clips_are_mirrored_and_all_are_normalised():
    batch = replace(batch_of((1, 0, 2)), flipped=torch.tensor([True, False, True]))
    found = Inputs(CPU, mean=MEAN, std=STD).prepare(batch)
    for k, marked in enumerate([True, False, True]):
        pixels = batch.clips[k].flip(-1) if marked else batch.clips[k]
        expected = (pixels.double() / 255 - torch.tensor(MEAN).view(3, 1, 1, 1)) / torch.tensor(STD).view(3, 1, 1, 1)
        torch.testing.assert_close(found.clips[k].double(), expected, rtol=1e-5, atol=1e-6)
    assert found.flipped is None and torch.equal(found.targets.boxes, batch.targets.boxes)


def test_the_order_of_mirroring_and_normalising_changes_no_bit():
    inputs, batch = Inputs(CPU, mean=MEAN, std=STD), batch_of((1, 2))
    late = inputs.prepare(replace(batch, flipped=torch.tensor([False, True]))).clips
    early = inputs.prepare(replace(batch, clips=torch.stack([batch.clips[0], batch.clips[1].flip(-1)]))).clips
    assert torch.equal(late, early)


@pytest.mark.parametrize("task", [Localization, TwoStage])
def test_the_two_stage_model_is_given_boxes_in_pixels(task):
    batch = Inputs(CPU, mean=MEAN, std=STD).prepare(batch_of((1, 0, 2)))
    clips, *boxes = task.arguments(SimpleNamespace(features=None), batch)
    assert clips is batch.clips and len(boxes) == (task is TwoStage)
    if boxes:
        (regions,) = boxes
        cx, cy, w, h = (batch.targets.boxes * 16).unbind(1)  # the clips are 16 x 16
        expected = torch.stack([torch.tensor([0.0, 2, 2]), cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], dim=1)
        torch.testing.assert_close(regions, expected)


def test_boxes_come_from_people_only():
    batch = replace(batch_of((1,)), targets=Labels(torch.zeros(1, dtype=torch.int64)))
    with pytest.raises(TypeError, match="given boxes come from People, and this batch has Labels"):
        TwoStage.arguments(SimpleNamespace(features=None), batch)


@pytest.mark.parametrize(
    ("name", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_a_model_is_called_in_the_precision_of_the_run(name, dtype):
    inputs = Inputs(
        CPU, mean=MEAN, std=STD, arguments=lambda batch: (batch.clips[:, 0, 0, 0],), precision=Precision(name)
    )
    found = inputs.predictor(torch.nn.Linear(16, 2))(inputs.prepare(batch_of((1, 2))))
    assert found.dtype == dtype


def test_an_unknown_precision_is_named():
    with pytest.raises(
        ValueError, match=r"precision must be one of float32, bf16, fp16, got 'half' \(MODEL.PRECISION\)"
    ):
        Precision("half")


@pytest.mark.parametrize("bgr", [False, True])
def test_a_model_that_normalises_itself_gives_the_same_bits(bgr):
    """In place, and not: multiplied and then subtracted, each rounded once."""
    batch = replace(batch_of((1, 0, 2)), flipped=torch.tensor([True, False, True]))
    expected = Inputs(CPU, mean=MEAN, std=STD, bgr=bgr).prepare(batch).clips
    inputs, model = Inputs(CPU, mean=MEAN, std=STD, bgr=bgr), torch.nn.Identity()
    for _ in range(2):  # a second time changes nothing
        inputs.leave_pixels_to(model)
    prepared = inputs.prepare(batch)
    assert prepared.clips.dtype == torch.uint8 and prepared.flipped is None
    assert torch.equal(inputs.predictor(model)(prepared), expected)
    assert torch.equal(model(expected), expected)  # floats pass
    assert not model.state_dict() and torch.equal(copy.deepcopy(model)(prepared.clips), expected)
    assert inputs.pictures(batch.clips[0]).dtype == torch.float32


def test_what_is_to_be_done_to_floats_is_done_before_the_model():
    """Colours and what training does to a whole batch; a batch without readable clips then is of floats, too."""
    inputs, plain = Inputs(CPU, mean=MEAN, std=STD), Inputs(CPU, mean=MEAN, std=STD)
    inputs.leave_pixels_to(torch.nn.Identity())
    size = tuple(batch_of((1, 1)).clips.shape[-2:])
    colours = ClipColours.of([ColourFactors(0.5, 1.5, 0.8), None], [size, size])
    batch = replace(batch_of((1, 1)), colours=colours)
    assert torch.equal(inputs.prepare(batch).clips, plain.prepare(batch).clips)
    stand_in = replace(batch_of((1,)), meta=())
    assert inputs.prepare(stand_in).clips.dtype == torch.float32
    assert inputs.prepare(batch_of((1,))).clips.dtype == torch.uint8
    assert inputs.prepare(stand_in).clips.dtype == torch.uint8
