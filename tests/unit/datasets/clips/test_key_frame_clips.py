"""slowfast.datasets.clips.key_frame_clips: which pixels are asked for, what comes of a clip that cannot be read."""

import numpy as np
import pytest
import torch

from slowfast.datasets.annotations.people.key_frames import build_key_frames
from slowfast.datasets.clips.key_frame_clips import (
    ClipShape,
    FrameClock,
    KeyFrameClips,
    SecondClock,
    every_nth,
    rows_on_key_frames,
)
from slowfast.datasets.clips.presets import Augmentation, DetectionPreset
from slowfast.datasets.clips.samplers import ShardSampler, TrainBatches
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.clip import ClipSample, UnreadableClip
from slowfast.video.source import ClipPixels, ClipReadError

LABELS = LabelMap((1, 5), ("stand", "walk"))


def table(rows: list[tuple[str, int, int]]) -> BoxTable:
    """rows: (video, timestamp, label), each with a box of its own; NO_LABEL rows have no box."""
    videos = tuple(dict.fromkeys(video for video, _, _ in rows))
    boxes = [
        [0.1, 0.1, 0.5, 0.5 + i / 100] if label != NO_LABEL else [np.nan] * 4 for i, (_, _, label) in enumerate(rows)
    ]
    return BoxTable(
        videos,
        np.array([videos.index(video) for video, _, _ in rows], dtype=np.int32),
        np.array([time for _, time, _ in rows], dtype=np.int32),
        np.array(boxes),
        np.array([label for _, _, label in rows], dtype=np.int32),
    )


ROWS = [("b", 902, 1), ("a", 903, 5), ("a", 902, 1), ("a", 902, 5), ("b", 905, NO_LABEL)]


class Recorder:
    """Grey frames, and a note of every request; video "b" cannot be read."""

    def __init__(self) -> None:
        self.requests = []

    def read(self, video, times, *, center):
        self.requests.append((video, np.asarray(times).tolist(), center))
        if video == "b":
            raise ClipReadError("b.mp4", float(times[center]), "cut off")
        return ClipPixels(np.full((len(times), 8, 8, 3), 100, dtype=np.uint8), clamped=2)

    read_frames = read


def clips(pixels: Recorder, *, clock=None, order: str = "forward", augmentation=None, **options) -> KeyFrameClips:
    return KeyFrameClips(
        build_key_frames(table(ROWS), LABELS)[0],
        pixels,
        clock=clock or SecondClock(fps=30.0, first_second=900),
        shape=ClipShape(4, 3, order),
        preset=DetectionPreset(size=(8, 8), augmentation=augmentation),
        **options,
    )


@pytest.mark.parametrize(
    ("order", "times"),
    [
        ("forward", [1.8, 1.9, 2.0, 2.1]),
        ("reversed", [2.2, 2.1, 2.0, 1.9]),  # mirrored at the key frame, which stays in its place
        ("frozen", [2.0, 2.0, 2.0, 2.0]),
    ],
)
def test_seconds_become_times_in_the_file(order, times):
    pixels = Recorder()
    found = clips(pixels, order=order)[0]
    ((video, asked, key),) = pixels.requests
    assert (video, key) == ("a", 2) and asked == pytest.approx(times)
    assert isinstance(found, ClipSample) and found.clip.shape == (3, 4, 8, 8)
    assert (found.meta.video, found.meta.timestamp, found.meta.repeated_frames) == ("a", 902, 2)
    assert found.actions.tolist() == [[1, 0], [0, 1]]


def test_frame_numbers_are_asked_for_as_they_are():
    pixels = Recorder()
    clips(pixels, clock=FrameClock())[1]
    assert pixels.requests == [("a", [897, 900, 903, 906], 2)]


def test_a_clip_that_cannot_be_read_is_named_or_fatal():
    assert clips(Recorder())[2] == UnreadableClip("b", 902, "cannot read b.mp4 at 2.000 s: cut off")
    with pytest.raises(ClipReadError, match=r"cannot read b.mp4 at 2.000 s: cut off"):
        clips(Recorder(), strict=True)[2]


def test_seed_epoch_and_index_decide_the_augmentation():
    def region(index, epoch, seed=0):
        return clips(Recorder(), augmentation=Augmentation(colour=0.0, crop_scale=(0.5, 0.9)), seed=seed)[
            index, epoch
        ].meta.region

    assert region(0, 4) == region(0, 4)
    assert len({region(0, 0), region(0, 1), region(1, 0), region(0, 0, seed=1)}) == 4


def test_every_nth_key_frame_of_each_video():
    rows = [("a", t, 1) for t in range(1, 6)] + [("b", t, 1) for t in (3, 4)] + [("c", 9, 1)]
    key_frames = build_key_frames(table(rows), LABELS)[0]

    def seen(frames):
        return [(frames.video_name(k), int(frames.timestamp[k])) for k in range(len(frames))]

    assert seen(every_nth(key_frames, 1)) == [(video, time) for video, time, _ in rows]
    assert seen(every_nth(key_frames, 2)) == [("a", 1), ("a", 3), ("a", 5), ("b", 3), ("c", 9)]
    assert seen(every_nth(key_frames, 9)) == [("a", 1), ("b", 3), ("c", 9)]
    later = key_frames.subset(np.array([5, 6, 7]))  # the first video is not the first of `videos`
    assert seen(every_nth(later, 2)) == [("b", 3), ("c", 9)]


def test_only_ground_truth_of_the_key_frames_shown_is_kept():
    truth = table(ROWS)
    key_frames = build_key_frames(truth, LABELS, exclusions={("a", 903)})[0]
    kept = rows_on_key_frames(truth, key_frames)
    assert [(kept.videos[v], int(t)) for v, t in zip(kept.video, kept.timestamp, strict=True)] == [
        ("b", 902),
        ("a", 902),
        ("a", 902),
        ("b", 905),
    ]
    only_b = rows_on_key_frames(truth, key_frames.subset(np.array([1])))
    assert only_b.timestamp.tolist() == [902] and only_b.videos[only_b.video[0]] == "b"


def test_loaders_take_either_kind_of_sampler():
    def loader(**sampling):
        return torch.utils.data.DataLoader(clips(Recorder()), collate_fn=list, **sampling)

    batches = TrainBatches(4, batch_size=2)
    names = [
        (found.meta if isinstance(found, ClipSample) else found).video
        for batch in loader(batch_sampler=batches)
        for found in batch
    ]
    assert sorted(names) == ["a", "a", "b", "b"]
    tested = list(loader(sampler=ShardSampler(4, rank=1, world_size=2), batch_size=2))
    assert [len(batch) for batch in tested] == [2] and isinstance(tested[0][1], UnreadableClip)


def test_the_pixels_of_a_clip_are_those_that_were_read():
    assert torch.equal(clips(Recorder())[0].clip, torch.full((3, 4, 8, 8), 100, dtype=torch.uint8))
