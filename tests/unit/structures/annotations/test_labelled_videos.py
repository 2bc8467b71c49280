"""Labels of videos and of the frames that a clip shows."""

import numpy as np

from slowfast.structures.annotations.labelled_videos import FrameLabels, LabelledVideos

A, B, NONE = [True, False], [False, True], [False, False]
# Video 0: frames 0-2 show a, 3-5 nothing, 6 on b. Video 1: b throughout.
FRAMES = FrameLabels(
    np.array([0, 3, 4]), np.array([0, 3, 6, 0], np.int32), np.array([0, 1, 2, 2], np.int32), np.array([A, NONE, B])
)
MANY = LabelledVideos(("v", "w"), np.array([[True, True], B]), ("a", "b"), FRAMES)


def shown(index: int, *positions: int) -> list[bool]:
    return MANY.label_of(index, np.array(positions)).tolist()


def test_a_clip_has_the_labels_of_its_frames_and_of_those_between():
    assert shown(0, 0) == shown(0, 2) == shown(0, 1, 5) == A
    assert shown(0, 3) == shown(0, 3, 5) == NONE
    assert shown(0, 6) == shown(0, 5, 6) == shown(0, 99) == B
    assert shown(0, 2, 6) == shown(0, 6, 2) == [True, True]
    assert shown(1, 0) == shown(1, 7, 3) == B


def test_frames_between_count_even_where_the_clip_skips_them():
    skipped = FrameLabels(
        np.array([0, 3]), np.array([0, 3, 4], np.int32), np.array([0, 1, 0], np.int32), np.array([A, B])
    )
    video = LabelledVideos(("v",), np.array([[True, True]]), ("a", "b"), skipped)
    assert video.label_of(0, np.array([2, 4])).tolist() == [True, True]


def test_without_positions_or_frame_labels_it_is_the_label_of_the_video():
    assert MANY.label_of(0).tolist() == [True, True]
    one = LabelledVideos(("v",), np.array([3]), ("a", "b", "c", "d"))
    assert one.label_of(0) == one.label_of(0, np.array([5])) == 3 and not one.multi_label
