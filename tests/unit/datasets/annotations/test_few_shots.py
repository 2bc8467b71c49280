"""slowfast.datasets.annotations.few_shots: so many videos of each class, nested, and classes that have too few."""

import numpy as np
import pytest

from slowfast.config import load_cfg
from slowfast.datasets.annotations.few_shots import few_videos
from slowfast.datasets.annotations.people.key_frames import build_key_frames
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from tests.rules.sources import ROOT

LABELS = LabelMap((1, 2, 7), ("run", "sit", "wave"))


def key_frames(videos: dict[str, tuple[int, ...]]):
    """{video: class ids of its one person}; two key frames each"""
    names = tuple(sorted(videos))
    rows = [(names.index(v), frame, label) for v in names for frame in (1, 2) for label in videos[v]]
    video, frame, label = (np.array(column, dtype=np.int32) for column in zip(*rows, strict=True))
    boxes = np.tile([0.1, 0.1, 0.5, 0.5], (len(rows), 1))
    return build_key_frames(BoxTable(names, video, frame, boxes, label), LABELS)[0]


MANY = key_frames({f"{name}{i}": (label,) for name, label in (("r", 1), ("s", 2), ("w", 7)) for i in range(6)})


@pytest.mark.parametrize("shots", [1, 2, 5, 6])
def test_so_many_videos_of_each_class(shots):
    few = few_videos(MANY, LABELS, shots=shots, seed=3)
    assert len(few) == 2 * 3 * shots  # both key frames of each
    assert [sum(v.startswith(first) for v in few.used_videos) for first in "rsw"] == [shots] * 3


def test_seeded_and_nested():
    drawn = {seed: set(few_videos(MANY, LABELS, shots=2, seed=seed).used_videos) for seed in range(8)}
    assert len({frozenset(videos) for videos in drawn.values()}) > 4
    for seed, videos in drawn.items():
        assert set(few_videos(MANY, LABELS, shots=2, seed=seed).used_videos) == videos
        assert videos < set(few_videos(MANY, LABELS, shots=3, seed=seed).used_videos)


def test_a_video_of_two_classes_serves_both():
    both = key_frames({"a": (1, 2), "b": (7,), "c": (7,)})
    assert few_videos(both, LABELS, shots=1, seed=0).used_videos[0] == "a"
    assert len(few_videos(both, LABELS, shots=1, seed=0).used_videos) == 2


def test_more_than_a_class_has_is_an_error():
    with pytest.raises(
        ValueError, match=r"DATA.SHOTS \(7\) asks for more .* have: run \(6\), sit \(6\), wave \(6\); lower"
    ):
        few_videos(MANY, LABELS, shots=7, seed=0)


def test_classifiers_have_none():
    with pytest.raises(
        ValueError, match=r"DATA.SHOTS \(2\) is for people on key frames .*TRAIN.DATASET is jhmdb_videos"
    ):
        load_cfg(ROOT / "configs/JHMDB/MViT_small_scratch.yaml", ["DATA.SHOTS", 2])
