"""slowfast.structures.clip: whose person is whose, and normalisation by hand."""

import pytest
import torch

from slowfast.structures.clip import ClipBatch, ClipMeta, Targets


def test_people_know_their_clip():
    targets = Targets(torch.zeros(4, 4), torch.zeros(4, 2), (0, 3, 0, 1))
    assert targets.clip_index.tolist() == [1, 1, 1, 3]
    assert Targets(torch.zeros(0, 4), torch.zeros(0, 2), (0, 0)).clip_index.tolist() == []


def test_counts_that_do_not_sum_to_the_people_fail():
    with pytest.raises(RuntimeError):
        _ = Targets(torch.zeros(3, 4), torch.zeros(3, 2), (1, 1)).clip_index


def test_normalisation_by_hand():
    clips = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1, 1)
    batch = ClipBatch(clips, Targets(torch.zeros(0, 4), torch.zeros(0, 1), (0,)), (ClipMeta("v", 1, (0, 0, 1, 1)),))
    normal = batch.normalized(torch.tensor([0.5, 0.4, 0.2]), torch.tensor([0.25, 0.5, 0.1]))
    assert normal.clips.dtype == torch.float32
    torch.testing.assert_close(normal.clips.flatten(), torch.tensor([-2.0, -0.4, 8.0]))
    assert batch.clips.flatten().tolist() == [0, 51, 255]  # the loaded batch is left as it was


def test_moving_keeps_everything_that_is_not_a_tensor():
    targets = Targets(torch.zeros(1, 4), torch.zeros(1, 1), (1,))
    batch = ClipBatch(torch.zeros(1, 3, 1, 1, 1, dtype=torch.uint8), targets, (ClipMeta("v", 1, (0, 0, 1, 1)),))
    moved = batch.to(torch.device("meta"))
    assert {moved.clips.device.type, moved.targets.boxes.device.type, moved.targets.actions.device.type} == {"meta"}
    assert (moved.meta, moved.targets.people_per_clip, len(moved)) == (batch.meta, (1,), 1)


def test_a_clip_is_named_by_its_key_frame():
    assert str(ClipMeta("dance", 904, (0, 0, 1, 1))) == "dance at 904"
