"""slowfast.datasets.clips.collate: padding moves boxes and regions; clips that could not be read travel by name."""

from dataclasses import replace

import pytest
import torch

from slowfast.datasets.clips.collate import collate
from slowfast.models.detection.postprocess import PostProcess
from slowfast.structures.boxes import cxcywh_to_xyxy
from slowfast.structures.clip import ClipMeta, ClipSample, UnreadableClip
from slowfast.structures.outputs.predictions import Predictions

BLANK = {"blank_size": (4, 8, 8), "num_classes": 3}


def sample(people: int, height: int = 8, width: int = 8, *, fill: int = 1, region=(0.0, 0.0, 1.0, 1.0)) -> ClipSample:
    clip = torch.full((3, 4, height, width), fill, dtype=torch.uint8)
    boxes = torch.tensor([[0.5, 0.25, 0.5, 0.125]]).repeat(people, 1)
    return ClipSample(clip, boxes, torch.full((people, 3), float(fill)), ClipMeta(f"v{fill}", fill, region))


def test_people_follow_each_other_clip_after_clip():
    batch = collate([sample(2, fill=1), sample(0, fill=2), sample(1, fill=3)], **BLANK)
    assert batch.clips.shape == (3, 3, 4, 8, 8) and batch.clips.dtype == torch.uint8
    assert batch.targets.people_per_clip == (2, 0, 1) and batch.targets.actions[:, 0].tolist() == [1, 1, 3]
    assert [meta.video for meta in batch.meta] == ["v1", "v2", "v3"] and len(batch) == 3
    assert batch.clips[1].unique().tolist() == [2]


@pytest.mark.parametrize("region", [(0.0, 0.0, 1.0, 1.0), (0.9, 0.2, 0.5, 0.6)], ids=["whole", "mirrored crop"])
def test_padding_moves_boxes_and_the_region_undoes_it(region):
    plain = collate([sample(1, 8, 12, region=region)], **BLANK)
    batch = collate([sample(1, 8, 12, region=region), sample(1, 16, 8)], **BLANK)
    assert batch.clips.shape[-2:] == (16, 12)
    assert batch.clips[0, ..., 8:, :].max() == 0 and batch.clips[0, ..., :8, :].min() == 1
    assert batch.clips[1, ..., 8:].max() == 0 and batch.clips[1, ..., :8].min() == 1
    assert batch.targets.boxes.tolist() == [[0.5, 0.125, 0.5, 0.0625], pytest.approx([1 / 3, 0.25, 1 / 3, 0.125])]

    def in_the_frame(padded):  # the targets of clip 0, as if the model had found them exactly
        boxes = padded.targets.boxes[:1, None]
        return PostProcess(actor_threshold=0)(
            Predictions(torch.zeros(1, 1, 1), boxes, torch.zeros(1, 1, 3)), padded.meta[:1]
        ).boxes

    torch.testing.assert_close(in_the_frame(batch), in_the_frame(plain))
    if region[0] < region[2]:
        torch.testing.assert_close(in_the_frame(plain), cxcywh_to_xyxy(plain.targets.boxes))


def test_a_clip_mirrored_after_padding_is_the_one_mirrored_before():
    """The old way is the oracle: pixels mirrored by the loader, then padded."""
    generator = torch.Generator().manual_seed(0)
    samples = []
    for height, width, flipped in ((8, 12, True), (16, 8, False), (12, 16, True), (6, 6, True)):
        clip = torch.randint(0, 256, (3, 4, height, width), generator=generator, dtype=torch.uint8)
        region = (0.9, 0.2, 0.5, 0.6) if flipped else (0.1, 0.0, 0.8, 1.0)
        samples.append(replace(sample(2, region=region), clip=clip, flipped=flipped))
    before = collate([replace(s, clip=s.mirrored_clip, flipped=False) for s in samples], **BLANK)
    after = collate(samples, **BLANK)
    assert after.flipped.tolist() == [True, False, True, True] and before.flipped is None
    assert not torch.equal(after.clips, before.clips) and torch.equal(after.mirrored().clips, before.clips)
    assert after.meta == before.meta and torch.equal(after.targets.boxes, before.targets.boxes)


def test_unreadable_clips_travel_by_name():
    lost = UnreadableClip("v9", 7, "cannot read v9.mp4 at 7.000 s: cut off")
    batch = collate([sample(1), lost], **BLANK)
    assert len(batch) == 1 and len(batch.clips) == 1 and batch.unreadable == (lost,)


def test_nothing_readable_gives_a_black_clip_without_people():
    lost = (UnreadableClip("v9", 7, "gone"), UnreadableClip("v9", 8, "gone"))
    batch = collate(lost, **BLANK)
    assert len(batch) == 0 and batch.meta == () and batch.unreadable == lost
    assert batch.clips.shape == (1, 3, 4, 8, 8) and batch.clips.max() == 0 and batch.clips.dtype == torch.uint8
    assert batch.targets.people_per_clip == (0,) and batch.targets.actions.shape == (0, 3)
    assert batch.targets.clip_index.tolist() == []
