"""Planes of colour against numpy's own transposition."""

import numpy as np
import pytest
import torch

from slowfast.datasets.clips.planes import to_planes

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 13, 37, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "frames",
    [
        FRAMES,
        FRAMES[:1, :1, :1],
        FRAMES[:, 2:11, 5:30],  # a crop, whose rows are apart
        FRAMES[::2, :, ::-1],  # mirrored
        FRAMES[..., ::-1],  # B, G, R
        FRAMES.transpose(0, 2, 1, 3),
        np.repeat(FRAMES[:1], 4, axis=0),
    ],
)
def test_planes_are_the_frames_transposed(frames):
    found = to_planes(frames)
    assert found.is_contiguous() and found.dtype == torch.uint8
    np.testing.assert_array_equal(found.numpy(), frames.transpose(3, 0, 1, 2))


def test_planes_are_a_copy():
    """Frames of a cache are mapped from its files: a clip that is changed must not change them."""
    frames = FRAMES.copy()
    found = to_planes(frames)
    found.zero_()
    np.testing.assert_array_equal(frames, FRAMES)


def test_frames_that_may_not_be_written_are_read():
    frames = FRAMES.copy()
    frames.flags.writeable = False
    np.testing.assert_array_equal(to_planes(frames).numpy(), FRAMES.transpose(3, 0, 1, 2))
