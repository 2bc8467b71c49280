"""Clip sampling by hand."""

import pytest

from slowfast.datasets.clips.clip_sampling import ORDERS, clip_offsets, clip_times


def test_even_clips_are_sampled_as_pyslowfast_samples_ava():
    assert clip_offsets(16, 4).tolist() == list(range(-32, 32, 4))
    assert clip_offsets(8, 2).tolist() == [-8, -6, -4, -2, 0, 2, 4, 6]


def test_odd_clips_hold_the_key_frame_in_the_middle():
    assert clip_offsets(5, 3).tolist() == [-6, -3, 0, 3, 6]
    assert clip_offsets(1, 7).tolist() == [0]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("num_frames", [1, 2, 7, 8, 16])
def test_the_key_frame_is_at_half_the_clip_in_every_order(num_frames, order):
    assert clip_offsets(num_frames, 3, order)[num_frames // 2] == 0


def test_orders_by_hand():
    assert clip_offsets(4, 2, "reversed").tolist() == [4, 2, 0, -2]
    assert clip_offsets(4, 2, "frozen").tolist() == [0, 0, 0, 0]


def test_times_around_a_second_by_hand():
    assert clip_times(2.0, num_frames=4, sampling_rate=2, fps=8).tolist() == [1.5, 1.75, 2.0, 2.25]
    assert clip_times(2.0, num_frames=4, sampling_rate=2, fps=8, order="reversed").tolist() == [2.5, 2.25, 2.0, 1.75]


def test_errors_name_the_value_and_the_rule():
    with pytest.raises(ValueError, match="at least 1 frame and a sampling rate of at least 1, got 0 x 4"):
        clip_offsets(0, 4)
    with pytest.raises(ValueError, match="frames per second must be positive, got 0"):
        clip_times(1.0, num_frames=4, sampling_rate=1, fps=0)
    with pytest.raises(
        ValueError, match=r"clip order 'backwards' is unknown; known: forward, reversed, frozen \(TEST.FRAME_ORDER\)"
    ):
        clip_offsets(4, 1, "backwards")
