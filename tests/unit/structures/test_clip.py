"""slowfast.structures.clip: whose person is whose; mirroring, normalisation, and where the tensors are."""

from dataclasses import replace

import pytest
import torch
from torch.utils.data._utils.pin_memory import pin_memory as pin_what_a_loader_yields

from slowfast.structures.clip import ClipBatch, ClipMeta, ClipSample
from slowfast.structures.targets import People


def test_people_know_their_clip():
    targets = People(torch.zeros(4, 4), torch.zeros(4, 2), (0, 3, 0, 1))
    assert targets.clip_index.tolist() == [1, 1, 1, 3]
    assert People(torch.zeros(0, 4), torch.zeros(0, 2), (0, 0)).clip_index.tolist() == []


def test_counts_that_do_not_sum_to_the_people_fail():
    with pytest.raises(RuntimeError):
        _ = People(torch.zeros(3, 4), torch.zeros(3, 2), (1, 1)).clip_index


def test_normalisation_by_hand():
    clips = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1, 1)
    batch = ClipBatch(clips, People(torch.zeros(0, 4), torch.zeros(0, 1), (0,)), (ClipMeta("v", 1, (0, 0, 1, 1)),))
    normal = batch.normalized(torch.tensor([0.5, 0.4, 0.2]), torch.tensor([0.25, 0.5, 0.1]))
    assert normal.clips.dtype == torch.float32
    torch.testing.assert_close(normal.clips.flatten(), torch.tensor([-2.0, -0.4, 8.0]))
    assert batch.clips.flatten().tolist() == [0, 51, 255]  # the loaded batch is left as it was


def people(*counts: int) -> People:
    total = sum(counts)
    return People(torch.rand(total, 4), torch.rand(total, 2), counts)


def batch_of(*counts: int, flipped: list[bool] | None = None) -> ClipBatch:
    generator = torch.Generator().manual_seed(0)
    clips = torch.randint(0, 256, (len(counts), 3, 2, 3, 4), generator=generator, dtype=torch.uint8)
    meta = tuple(ClipMeta("v", k, (0, 0, 1, 1)) for k in range(len(counts)))
    return ClipBatch(clips, people(*counts), meta, flipped=None if flipped is None else torch.tensor(flipped))


def test_only_the_marked_clips_are_mirrored_and_only_once():
    batch = batch_of(1, 0, 2, flipped=[True, False, True])
    mirrored = batch.mirrored()
    assert mirrored.clips.dtype == torch.uint8
    for k, marked in enumerate([True, False, True]):
        assert torch.equal(mirrored.clips[k], batch.clips[k].flip(-1) if marked else batch.clips[k])
    assert mirrored.flipped is None and mirrored.mirrored() is mirrored
    plain = batch_of(1)
    assert plain.mirrored() is plain


def test_whoever_shows_a_sample_sees_the_pixels_of_its_boxes():
    clip = torch.arange(3, dtype=torch.uint8).expand(3, 1, 1, 3)
    sample = ClipSample(clip, torch.zeros(0, 4), torch.zeros(0, 1), ClipMeta("v", 1, (1, 0, 0, 1)), flipped=True)
    assert sample.mirrored_clip[0, 0, 0].tolist() == [2, 1, 0]
    assert replace(sample, flipped=False).mirrored_clip[0, 0, 0].tolist() == [0, 1, 2]


def test_a_loader_pins_every_tensor_of_a_batch(monkeypatch):
    """torch pins what has `pin_memory`, and passes any other object on as it is."""
    pinned = []

    def pin(tensor: torch.Tensor) -> torch.Tensor:
        pinned.append(tensor.clone())
        return pinned[-1]

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    batch = batch_of(1, 2, flipped=[True, False])
    found = pin_what_a_loader_yields(batch)
    tensors = (
        found.clips,
        found.flipped,
        found.targets.boxes,
        found.targets.actions,
        found.targets.clip_index,
    )
    assert {id(tensor) for tensor in tensors} == {id(tensor) for tensor in pinned}
    assert torch.equal(found.clips, batch.clips) and found.meta == batch.meta
    assert found.targets.people_per_clip == (1, 2)


def test_moving_keeps_everything_that_is_not_a_tensor():
    targets = People(torch.zeros(1, 4), torch.zeros(1, 1), (1,))
    meta = (ClipMeta("v", 1, (0, 0, 1, 1)),)
    batch = ClipBatch(torch.zeros(1, 3, 1, 1, 1, dtype=torch.uint8), targets, meta, flipped=torch.tensor([True]))
    moved = batch.to(torch.device("meta"))
    tensors = (moved.clips, moved.flipped, moved.targets.boxes, moved.targets.actions, moved.targets.clip_index)
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert (moved.meta, moved.targets.people_per_clip, len(moved)) == (batch.meta, (1,), 1)


def test_a_clip_is_named_by_its_key_frame():
    assert str(ClipMeta("dance", 904, (0, 0, 1, 1))) == "dance at 904"
