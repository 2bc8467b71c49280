"""slowfast.datasets.clips.labelled_clips: what a video becomes in training depends on (seed, epoch, index, repeat) alone."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from slowfast.datasets.augment.batch import LabelBatchAugmentation, Mixing
from slowfast.datasets.augment.classification_preset import LabelAugmentation, LabelPreset
from slowfast.datasets.augment.erasing import erase
from slowfast.datasets.augment.mixup import Mixup
from slowfast.datasets.clips.labelled_clips import LabelledClips, LabelledSample, collate_labelled
from slowfast.datasets.clips.samplers import TrainBatches
from slowfast.datasets.clips.video_sampling import ClipSampling
from slowfast.engine.device.inputs import Inputs
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.structures.clip import ClipBatch, UnreadableClip
from slowfast.structures.targets import Counts
from slowfast.video.source import ClipReadError, VideoLength

NAMES = tuple(f"v{i}.mp4" for i in range(8))
VIDEOS = LabelledVideos(NAMES, np.arange(8) % 3, ("run", "walk", "jump"))
FULL = LabelAugmentation(rand_augment="rand-m7-n4-mstd0.5-inc1", erase_probability=1.0)
PLAIN = LabelAugmentation(area=(1, 1), aspect=(1, 1), flip=False)
COLLATE = partial(collate_labelled, blank_size=(4, 16, 16), num_classes=None)


class Counted:
    """Videos of 40 frames whose pixels are the number of the frame; counts how often one is read."""

    def __init__(self, *broken: str) -> None:
        self.broken, self.reads = broken, 0

    def length(self, video: str) -> VideoLength:
        if video in self.broken:
            raise ClipReadError(video, None, "it is broken")
        return VideoLength(np.arange(40) / 30, 30.0)

    def read_positions(self, video: str, positions: np.ndarray, *, short_side: int | None = None) -> np.ndarray:
        self.reads += 1
        return np.broadcast_to(positions.astype(np.uint8)[:, None, None, None], (len(positions), 20, 24, 3)).copy()


def clips(pixels: Counted | None = None, *, augmentation: LabelAugmentation = FULL, **changes) -> LabelledClips:
    sampling = ClipSampling(num_frames=4, sampling_rate=4, target_fps=30.0)
    preset = LabelPreset(size=16, short_side=20, augmentation=augmentation)
    return LabelledClips(VIDEOS, pixels or Counted(), sampling=sampling, preset=preset, **changes)


def same(one: LabelledSample, other: LabelledSample) -> bool:
    return all(
        torch.equal(a.clip, b.clip)
        and (a.flipped, a.erase_seed) == (b.flipped, b.erase_seed)
        and torch.equal(a.rectangles, b.rectangles)
        for a, b in zip(one.inputs, other.inputs, strict=True)
    )


def test_seed_epoch_and_index_decide():
    assert same(clips()[3, 1], clips()[3, 1])
    for other in (clips(seed=1)[3, 1], clips()[3, 2], clips()[4, 1]):
        assert not same(clips()[3, 1], other)


def shown(sample: LabelledSample) -> list[list[int]]:
    """The numbers of the frames of each clip, where nothing changes pixels."""
    return [clip.clip[0, :, 0, 0].tolist() for clip in sample.inputs]


def test_one_decoding_gives_all_the_clips_of_a_video():
    pixels = Counted()
    sample = clips(pixels, repeats=3)[5, 0]
    assert pixels.reads == 1 and len(sample.inputs) == 3
    assert sample.labels.tolist() == [2] * 3 and [str(m) for m in sample.metas] == [
        f"view {i} of v5.mp4" for i in range(3)
    ]
    for a, b in ((0, 1), (1, 2)):
        assert not torch.equal(sample.inputs[a].clip, sample.inputs[b].clip)
        assert sample.inputs[a].erase_seed != sample.inputs[b].erase_seed
    alone = clips()[5, 0]
    assert torch.equal(alone.inputs[0].clip, sample.inputs[0].clip), "more repeats do not change the first"


def test_repeats_share_their_frames_or_do_not():
    once, each = clips(augmentation=PLAIN, repeats=3), clips(augmentation=PLAIN, repeats=3, sample_once=False)
    assert all(shown(once[i, 0])[0] == shown(once[i, 0])[2] for i in range(8))
    assert any(shown(each[i, 0])[0] != shown(each[i, 0])[2] for i in range(8))
    assert shown(once[4, 0])[0] == shown(each[4, 0])[0]
    pixels = Counted()
    clips(pixels, repeats=3, sample_once=False)[0, 0]
    assert pixels.reads == 1


def test_the_rate_of_a_clip_is_jittered():
    """A higher rate counts a shorter clip: 16 frames at 30, 15 to 16 at up to 32."""
    spans = {
        (frames[-1] - frames[0]) for i in range(8) for frames in shown(clips(augmentation=PLAIN, jitter_fps=15)[i, 0])
    }
    steady = {(frames[-1] - frames[0]) for i in range(8) for frames in shown(clips(augmentation=PLAIN)[i, 0])}
    assert max(steady) - min(steady) <= 1 and min(spans) < min(steady)


def test_a_broken_video_is_named_and_no_other_stands_in():
    broken = clips(Counted("v2.mp4"))
    assert broken[2, 0] == UnreadableClip("v2.mp4", 0, "cannot read v2.mp4: it is broken")
    with pytest.raises(ClipReadError, match=r"v2.mp4: it is broken"):
        clips(Counted("v2.mp4"), strict=True)[2, 0]


def test_no_clip_of_a_video_is_no_choice():
    with pytest.raises(ValueError, match=r"1 clip or more, got 0 \(AUG.NUM_SAMPLE\)"):
        clips(repeats=0)


def test_whoever_loads_them_the_clips_are_the_same():
    batches = TrainBatches(8, batch_size=4, seed=1, pairs=True)
    collate = partial(COLLATE, pairs=True)
    here = DataLoader(clips(repeats=2), batch_sampler=batches, collate_fn=collate)
    there = DataLoader(
        clips(repeats=2), batch_sampler=batches, collate_fn=collate, num_workers=2, multiprocessing_context="fork"
    )
    for own, loaded in zip(here, there, strict=True):
        assert own.meta == loaded.meta and torch.equal(own.clips, loaded.clips)
        assert torch.equal(INPUTS.prepare(own).clips, INPUTS.prepare(loaded).clips)


# --------------------------------------------------------------------------------------------------------------- batches


def batch_of(*indices: int, pixels: Counted | None = None, pairs: bool = True, **changes) -> ClipBatch:
    data = clips(pixels, **changes)
    return COLLATE([data[index, 0] for index in indices], pairs=pairs)


def test_clips_stand_video_after_video_with_their_partners():
    batch = batch_of(0, 1, 2, 3, repeats=2)
    assert [meta.key for meta in batch.meta] == [(NAMES[v], r) for v in range(4) for r in range(2)]
    assert batch.targets.values.tolist() == [0, 0, 1, 1, 2, 2, 0, 0] and batch.counts() == Counts(0, 8)
    assert batch.augmentation.partner.tolist() == [2, 3, 0, 1, 6, 7, 4, 5]
    assert batch_of(0, 1, pairs=False).augmentation.partner.tolist() == [0, 1]


def test_who_lost_his_neighbour_is_mixed_with_nobody():
    batch = batch_of(0, 1, 2, 3, pixels=Counted("v1.mp4"), repeats=2)
    assert [clip.video for clip in batch.unreadable] == ["v1.mp4"]
    assert batch.augmentation.partner.tolist() == [0, 1, 4, 5, 2, 3]


@pytest.mark.parametrize(("num_classes", "label"), [(None, torch.zeros(1, dtype=torch.int64)), (3, torch.zeros(1, 3))])
def test_of_nothing_a_black_clip_is_made(num_classes, label):
    batch = collate_labelled([UnreadableClip("a", 0, "gone")], blank_size=(4, 16, 16), num_classes=num_classes)
    assert len(batch) == 0 and batch.clips.shape == (1, 3, 4, 16, 16) and not batch.clips.any()
    assert torch.equal(batch.targets.values, label) and batch.counts() == Counts(0, 0)


# -------------------------------------------------------------------------------------------------------- on the device

MIXUP = Mixup(num_classes=3)
INPUTS = Inputs(torch.device("cpu"), mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


def test_clips_are_mirrored_normalised_erased_and_mixed_in_this_order():
    batch = Mixing(MIXUP, seed=0)(batch_of(0, 1, 2, 3), epoch=0, step=0)
    assert batch.flipped is not None and batch.augmentation.mix.kind == "mixup", "choose another step"
    found = INPUTS.prepare(batch)
    expected = batch.mirrored().normalized(INPUTS.mean, INPUTS.std).clips
    expected = erase(expected, batch.augmentation.rectangles, batch.augmentation.seeds)
    expected, targets = MIXUP.apply(expected, batch.targets.values, batch.augmentation.mix, torch.tensor([1, 0, 3, 2]))
    assert torch.equal(found.clips, expected) and torch.equal(found.targets.values, targets)
    assert found.augmentation is None


def test_without_mixup_labels_stay_labels():
    found = INPUTS.prepare(batch_of(0, 1))
    assert found.targets.values.tolist() == [0, 1]


def test_channels_are_exchanged_after_they_are_normalised():
    """PySlowFast normalises B, G, R by position and then exchanges them."""
    batch = batch_of(0, 1, augmentation=PLAIN)
    bgr = Inputs(torch.device("cpu"), mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3), bgr=True)
    assert torch.equal(bgr.prepare(batch).clips, INPUTS.prepare(batch).clips.flip(1))


def mixed_steps(processes: int, accumulate: int) -> dict[tuple, tuple[torch.Tensor, torch.Tensor]]:
    """(step, video, repeat) -> what the model sees and its target, over all processes and micro-batches."""
    found = {}
    for rank in range(processes):
        batches = TrainBatches(
            8, batch_size=8, accumulate=accumulate, rank=rank, world_size=processes, seed=2, pairs=True
        )
        batches.set_epoch(1)
        data, mixing = clips(repeats=2), Mixing(MIXUP, seed=2)
        for number, items in enumerate(batches):
            batch = mixing(COLLATE([data[item] for item in items], pairs=True), 1, number // accumulate)
            done = INPUTS.prepare(batch)
            for clip, target, meta in zip(done.clips, done.targets.values, done.meta, strict=True):
                found[(number // accumulate, *meta.key)] = (clip, target)
    return found


@pytest.mark.parametrize(("processes", "accumulate"), [(2, 1), (1, 2), (2, 2), (4, 1)])
def test_a_mixed_step_does_not_depend_on_processes_or_micro_batches(processes, accumulate):
    one, many = mixed_steps(1, 1), mixed_steps(processes, accumulate)
    assert set(one) == set(many) and len(one) == 16
    for key, (clip, target) in one.items():
        assert torch.equal(clip, many[key][0]) and torch.equal(target, many[key][1]), key


def test_every_step_is_mixed_in_its_own_way():
    mixing, batch = Mixing(MIXUP, seed=0), batch_of(0, 1)
    mixes = {str(mixing(batch, epoch, step).augmentation.mix) for epoch in range(2) for step in range(4)}
    assert len(mixes) == 8


def test_what_belongs_on_the_device_moves_and_the_rest_stays():
    moved: list[torch.Tensor] = []
    batch = batch_of(0, 1)
    batch.map(lambda tensor: moved.append(tensor) or tensor)
    assert any(tensor is batch.augmentation.partner for tensor in moved)
    assert not any(tensor is batch.augmentation.rectangles for tensor in moved)
    assert isinstance(batch.augmentation, LabelBatchAugmentation)
