"""Labels moved to another order of the same classes, and lists that share videos."""

import numpy as np
import pytest

from slowfast.datasets.annotations.videos.label_order import follow_order, overlap_note, reordered
from slowfast.datasets.split import VideoSplit
from slowfast.structures.annotations.labelled_videos import FrameLabels, LabelledVideos
from slowfast.video.pictures.images import ImageFiles

ONE = LabelledVideos(("x", "y", "z"), np.array([0, 2, 1]), ("run", "sit", "wave"))


def named(videos: LabelledVideos) -> list[set[str]]:
    """The class names of each video."""
    if not videos.multi_label:
        return [{videos.class_names[label]} for label in videos.labels]
    return [{videos.class_names[c] for c in np.flatnonzero(row)} for row in videos.labels]


def test_each_video_keeps_its_class_by_name():
    # A cycle of three: a permutation that is not its own inverse.
    moved = reordered(ONE, ["sit", "wave", "run"])
    assert moved.class_names == ("sit", "wave", "run") and moved.labels.tolist() == [2, 1, 0]
    assert named(moved) == named(ONE) and moved.names == ONE.names
    assert reordered(moved, ONE.class_names).labels.tolist() == ONE.labels.tolist()


def test_many_labels_and_labels_of_frames():
    table = np.array([[True, False, False], [False, True, True]])
    frames = FrameLabels(np.array([0, 2]), np.array([0, 5], np.int32), np.array([0, 1], np.int32), table)
    many = LabelledVideos(("x",), np.array([[True, False, True]]), ("run", "sit", "wave"), frames)
    moved = reordered(many, ("sit", "wave", "run"))
    assert named(moved) == named(many) == [{"run", "wave"}]
    assert moved.label_of(0, np.array([0, 4])).tolist() == [False, False, True]
    assert moved.label_of(0, np.array([5])).tolist() == [True, True, False]


def test_other_classes_are_listed():
    with pytest.raises(
        ValueError,
        match=r"3 classes of the data and 3 of .*; only in the data: 'sit'; only in the wanted order: 'stand'",
    ):
        reordered(ONE, ("run", "stand", "wave"))
    with pytest.raises(ValueError, match=r"3 classes of the data and 4 of the wanted order are not the same$"):
        reordered(ONE, ("run", "sit", "wave", "run"))


def test_a_split_follows_weights_of_the_same_classes_only():
    split = VideoSplit(ONE, ImageFiles("."), notes=("read",))
    moved = follow_order(split, ("sit", "wave", "run"), "w.pyth")
    assert moved.videos.labels.tolist() == [2, 1, 0]
    assert moved.notes == (
        "read",
        "the 3 classes of the data have another order in w.pyth; labels follow it by name ('run': 0 here, 2 there)",
    )
    for names in ((), ONE.class_names, ("run", "sit"), ("run", "sit", "stand")):
        assert follow_order(split, names, "w.pyth") is split


def test_lists_that_share_videos():
    def listed(*names: str) -> LabelledVideos:
        return LabelledVideos(names, np.zeros(len(names), np.int64), ("a", "b"))

    assert overlap_note(listed("a", "b"), listed("c")) == ""
    note = overlap_note(listed("a", "b", "c"), listed("./b", "d"))
    assert note.startswith("1 of 2 test videos are in the training list of 3, too: './b'")
    assert overlap_note(listed("a", "b"), listed("b", "a")).startswith("the training and the test list hold the same 2")
    assert overlap_note(listed("a", "b"), listed("a")).startswith("1 of 1 test videos")
    assert overlap_note(listed("a", "b"), listed("a"), what="validation").startswith("1 of 1 validation videos")
