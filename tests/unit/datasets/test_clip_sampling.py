import numpy as np
import pytest

from slowfast.datasets.clip_sampling import clip_frame_numbers, clip_offsets, clip_times, key_index, reorder


def test_16x4_is_the_published_sampling():
    assert clip_offsets(16, 4).tolist() == [-32, -28, -24, -20, -16, -12, -8, -4, 0, 4, 8, 12, 16, 20, 24, 28]


@pytest.mark.parametrize("num_frames", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("rate", [1, 2, 3, 4, 5])
def test_even_lengths_equal_pyslowfasts_range(num_frames, rate):
    half = num_frames * rate // 2
    assert clip_offsets(num_frames, rate).tolist() == list(range(-half, half, rate))


@pytest.mark.parametrize("num_frames", [1, 2, 3, 5, 8, 16])
@pytest.mark.parametrize("order", ["forward", "reversed", "frozen"])
def test_key_frame_is_at_key_index_in_every_order(num_frames, order):
    numbers = reorder(100 + clip_offsets(num_frames, 3), order)
    assert numbers[key_index(num_frames, order)] == 100


def test_times_by_hand():
    times = clip_times(2.0, num_frames=4, sampling_rate=2, fps=8)
    assert times.tolist() == [1.5, 1.75, 2.0, 2.25]


def test_context_repeats_the_ends_and_is_counted():
    numbers, clamped = clip_frame_numbers(2, num_frames=8, sampling_rate=2, first=1, last=5)
    assert numbers.tolist() == [1, 1, 1, 1, 2, 4, 5, 5]  # -6 -4 -2 0 2 4 6 8
    assert clamped == 6
    assert clip_frame_numbers(3, num_frames=1, sampling_rate=9, first=1, last=5)[0].tolist() == [3]


def test_key_frame_never_repeats_an_end():
    with pytest.raises(ValueError, match=r"key frame 6 is outside the video's frames 1 to 5"):
        clip_frame_numbers(6, num_frames=4, sampling_rate=1, first=1, last=5)


def test_reversed_and_frozen_by_hand():
    forward = np.array([10, 12, 14, 16])
    assert reorder(forward, "reversed").tolist() == [16, 14, 12, 10]
    assert reorder(forward, "frozen").tolist() == [14, 14, 14, 14]
    assert reorder(forward, "forward").tolist() == forward.tolist()


def test_bad_values_are_named():
    with pytest.raises(ValueError, match="got 0 x 4"):
        clip_offsets(0, 4)
    with pytest.raises(ValueError, match="frames per second must be positive, got 0"):
        clip_times(1.0, num_frames=4, sampling_rate=1, fps=0)
    with pytest.raises(ValueError, match="clip order 'backwards' is unknown; known: forward, reversed, frozen"):
        reorder(np.arange(4), "backwards")
