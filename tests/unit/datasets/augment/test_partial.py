"""slowfast.datasets.augment.partial: the part of a frame that is kept has the pixels of the whole frame."""

import cv2
import numpy as np
import pytest
import torch

from slowfast.datasets.augment.operations import apply_op
from slowfast.datasets.augment.partial import apply_to_part
from slowfast.datasets.augment.rand_augment import INCREASING_OPERATIONS, argument_of, parse_rand_augment
from slowfast.datasets.augment.resized_crop import CropBox, random_resized_box

FILL = (128, 128, 128)
NOISE = np.random.default_rng(0).integers(0, 256, (2, 64, 90, 3), dtype=np.uint8)
SMOOTH = np.stack([cv2.GaussianBlur(frame, (9, 9), 3) for frame in NOISE])


def of_whole_frames(frames: np.ndarray, draws: list, part: CropBox, interpolation: str = "bicubic") -> np.ndarray:
    for name, argument in draws:
        frames = apply_op(frames, name, argument, fill=FILL, interpolation=interpolation)
    return frames[:, part.top : part.top + part.height, part.left : part.left + part.width]


def of_the_part(frames: np.ndarray, draws: list, part: CropBox, interpolation: str = "bicubic") -> np.ndarray:
    return apply_to_part(frames, draws, part, fill=FILL, interpolation=interpolation)


@pytest.mark.parametrize("name", INCREASING_OPERATIONS)
@pytest.mark.parametrize("part", [CropBox(10, 20, 30, 40), CropBox(0, 50, 64, 40), CropBox(63, 0, 1, 90)])
def test_every_operation_either_way(name, part):
    """At a whole magnitude many pixels lie exactly between two levels, and a few are rounded the other way."""
    draws = [(name, argument_of(name, 7, negative=negative)) for negative in (False, True)]
    for interpolation in ("bicubic", "bilinear"):
        for draw in draws:
            found = of_the_part(NOISE, [draw], part, interpolation)
            whole = of_whole_frames(NOISE, [draw], part, interpolation)
            assert np.abs(found.astype(int) - whole).max() <= 1 and (found != whole).mean() < 0.03
            if name.startswith(("Auto", "Eq", "Inv", "Post", "Sol", "Color", "Con", "Bri", "Sharp")):
                np.testing.assert_array_equal(found, whole)


def test_chains_are_those_of_whole_frames_up_to_the_last_bit_of_a_place():
    """A pixel that lies exactly between two levels may be rounded the other way, one in a hundred thousand at most."""
    policy, different, pixels = parse_rand_augment("rand-m9-n6-mstd0.5-inc1"), 0, 0
    for seed in range(200):
        generator, frames = torch.Generator().manual_seed(seed), (NOISE, SMOOTH)[seed % 2]
        draws = policy.draw(generator)
        part = random_resized_box(64, 90, area=(0.08, 1), aspect=(0.75, 1.33), generator=generator)
        found, whole = of_the_part(frames, draws, part), of_whole_frames(frames, draws, part)
        assert found.shape == whole.shape == (2, part.height, part.width, 3)
        different += int((found != whole).any(-1).sum())
        pixels += found[..., 0].size
    assert different <= pixels * 1e-5 and pixels > 500_000


def test_the_frames_given_stay_as_they_are():
    before = NOISE.copy()
    of_the_part(NOISE, [("Invert", None), ("Rotate", 20.0)], CropBox(5, 5, 20, 20))
    np.testing.assert_array_equal(NOISE, before)


def test_nothing_drawn_is_a_cut():
    np.testing.assert_array_equal(of_the_part(NOISE, [], CropBox(3, 4, 5, 6)), NOISE[:, 3:8, 4:10])
