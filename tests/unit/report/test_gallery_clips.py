"""Clips for galleries: every frame has boxes where that is asked for, from the key frames that the clip reaches."""

from types import SimpleNamespace

import numpy as np
import pytest

from slowfast.datasets.annotations.people.key_frames import build_key_frames
from slowfast.datasets.clips.key_frame_clips import ClipShape, FrameClock, SecondClock
from slowfast.report.detection.clips import ReportGallery
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.video.source import ClipPixels

LABELS = LabelMap((1, 2), ("walk", "sit"))


def table(times, *, score=None):
    """A person of video "v" on each of `times`, further right by 0.01 a unit of time."""
    left = 0.1 + 0.01 * np.array(times)
    boxes = np.stack([left, np.full(len(times), 0.2), left + 0.3, np.full(len(times), 0.9)], axis=1)
    rows = np.zeros(len(times), dtype=np.int32)
    scores = None if score is None else np.full(len(times), score)
    return BoxTable(("v",), rows, np.array(times, dtype=np.int32), boxes, rows + 1, scores)


def gallery(times, clock, shape):
    made = ReportGallery.__new__(ReportGallery)
    key_frames, _ = build_key_frames(table(times), LABELS)
    pixels = SimpleNamespace(
        read=lambda video, t, *, center: ClipPixels(np.zeros((len(t), 8, 8, 3), np.uint8), 0),
        read_frames=lambda video, n, *, center: ClipPixels(np.zeros((len(n), 8, 8, 3), np.uint8), 0),
    )
    made._clips = SimpleNamespace(key_frames=key_frames, clock=clock, shape=shape, pixels=pixels)
    made._annotated = SimpleNamespace(label_map=LABELS, groundtruth=table(times))
    return made


@pytest.mark.parametrize(
    ("clock", "rate", "per_frame", "times"),
    [
        (SecondClock(fps=10, first_second=0), 5, 0.5, [1, 6, 10, 11, 14, 30]),
        (FrameClock(), 2, 2.0, [0, 1, 10, 11, 14, 30]),
    ],
    ids=["seconds", "frames"],
)
def test_boxes_move_from_key_frame_to_key_frame(clock, rate, per_frame, times):
    clip = gallery(times, clock, ClipShape(num_frames=8, sampling_rate=rate)).drawn(
        "v", 10, table(times, score=0.9), every_frame=True
    )
    moments = 10 + per_frame * np.arange(-4, 4)
    assert len(clip.between) == len(clip.frames) == 8 and clip.key_index == 4
    for moment, found in zip(moments, clip.between, strict=True):
        assert [name for ((name, _),) in found.labels] == ["walk"]
        np.testing.assert_allclose(found.boxes[0, 0], 0.1 + 0.01 * moment, atol=1e-6)


def test_without_it_other_frames_stay_empty():
    made = gallery([5], SecondClock(fps=10, first_second=0), ClipShape(num_frames=4, sampling_rate=5))
    assert made.drawn("v", 5, table([5], score=0.9)).between is None
    alone = made.drawn("v", 5, table([5], score=0.9), every_frame=True)
    assert all(len(found.boxes) == 1 for found in alone.between)  # its only key frame is within reach of all


def test_key_frames_that_are_far_away_are_other_scenes():
    times = [0, 20, 40]
    made = gallery(times, SecondClock(fps=10, first_second=0), ClipShape(num_frames=8, sampling_rate=5))
    clip = made.drawn("v", 20, table(times, score=0.9), every_frame=True)
    np.testing.assert_allclose([found.boxes[0, 0] for found in clip.between], 0.3)  # it stays where it was found
