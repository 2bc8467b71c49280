"""slowfast.datasets.augment.resized_crop: golden boxes with the reference's numbers fed in, statistics with our own."""

import math
import random

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from slowfast.datasets.augment.resized_crop import (
    CropBox,
    centre_box,
    crop_and_resize_plain,
    jitter_scale,
    random_resized_box,
    random_short_side,
    random_square_box,
    resized_box_from,
    short_side_from,
    size_at_short_side,
    square_box_from,
    uniform_crop_offsets,
)
from tests.unit.datasets.augment.golden_values import golden

GOLDEN = golden("crops.json")
AREA, ASPECT = (0.08, 1.0), (0.75, 1.3333)


def keys(beginning: str) -> list[str]:
    found = [key for key in GOLDEN if key.startswith(beginning)]
    assert len(found) >= 8
    return found


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class NumpyDraws:
    """The reference's numbers, whose randint leaves out the upper end."""

    def __init__(self, seed: int) -> None:
        self.state = np.random.RandomState(seed)

    def uniform(self, a: float, b: float) -> float:
        return self.state.uniform(a, b)

    def randint(self, a: int, b: int) -> int:
        return int(self.state.randint(a, b))


class Always:
    """Draws that repeat themselves: the end of every range given by `fraction`."""

    def __init__(self, fraction: float) -> None:
        self.fraction = fraction

    def uniform(self, a: float, b: float) -> float:
        return a + self.fraction * (b - a)

    def randint(self, a: int, b: int) -> int:
        return b if self.fraction == 1 else a


@pytest.mark.parametrize("key", [key for key in keys("rrc ") if "x" in key.split()[1]])
def test_resized_crops_are_those_of_the_reference(key):
    _, size, seed = key.split()
    height, width = map(int, size.split("x"))
    draws = random.Random(int(seed.removeprefix("seed")))
    assert list(resized_box_from(draws, height, width, area=AREA, aspect=ASPECT)) == GOLDEN[key]


@pytest.mark.parametrize("key", keys("jitter+crop"))
def test_scales_and_square_crops_are_those_of_the_reference(key):
    expected_size, expected_offset = GOLDEN[key]
    draws = NumpyDraws(int(key.split("seed")[1]))
    short_side = short_side_from(draws, (256, 320), inverse="inv=True" in key)
    assert list(size_at_short_side(240, 427, short_side)) == expected_size
    box = square_box_from(draws, *expected_size, size=224)
    assert [box.top, box.left] == expected_offset and box[2:] == (224, 224)


@pytest.mark.parametrize("key", keys("uniform_crop"))
def test_uniform_crops_are_those_of_the_reference(key):
    size, index = key.split()[1], int(key[-1])
    height, width = map(int, size.split("x"))
    assert list(uniform_crop_offsets(height, width, size=224, num_crops=3)[index]) == GOLDEN[key]


def test_one_crop_is_the_centre_rounded_up():
    assert uniform_crop_offsets(256, 341, size=224, num_crops=1) == [(16, 59)]
    assert uniform_crop_offsets(455, 256, size=224, num_crops=1) == [(116, 16)]
    assert uniform_crop_offsets(256, 256, size=224, num_crops=3) == [(16, 0), (16, 16), (16, 32)]


def test_the_resize_is_that_of_the_reference():
    key = next(key for key in GOLDEN if key.startswith("rrc_pixels"))
    frames = np.sin(0.05 * np.arange(2 * 3 * 30 * 40)).reshape(2, 3, 30, 40).astype(np.float32)
    found = crop_and_resize_plain(frames.transpose(0, 2, 3, 1), CropBox(3, 5, 20, 28), (8, 8))
    assert found.shape == (2, 8, 8, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found[0, :, :, 0], GOLDEN[key], atol=1e-5)


def picture() -> np.ndarray:
    """(1, 128, 170, 3) uint8 waves."""
    y, x = np.mgrid[:128, :170]
    waves = [127 + 100 * np.sin(y / (5 + k) + x / (4 + 3 * k)) for k in range(3)]
    return np.stack(waves, axis=-1)[None].astype(np.uint8)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 128, 170, 3), dtype=np.uint8)


@pytest.mark.parametrize("box", [CropBox(0, 0, 128, 170), CropBox(20, 31, 70, 110), CropBox(100, 3, 9, 5)])
@pytest.mark.parametrize(("frames", "mean", "most"), [(picture(), 0.26, 0.65), (noise(), 0.28, 1.2)])
def test_whole_levels_are_close_to_the_floats_of_the_reference(frames, mean, most, box):
    part = torch.from_numpy(frames[:, box.top :, box.left :][:, : box.height, : box.width]).permute(0, 3, 1, 2).float()
    exact = F.interpolate(part, (97, 90), mode="bilinear", align_corners=False).permute(0, 2, 3, 1).numpy()
    found = crop_and_resize_plain(frames, box, (97, 90))
    assert found.dtype == np.uint8
    difference = np.abs(found - exact)
    assert difference.mean() < mean and difference.max() < most


def test_a_part_of_the_right_size_is_not_touched():
    frames = np.random.default_rng(0).integers(0, 256, (2, 12, 17, 3), dtype=np.uint8)
    found = crop_and_resize_plain(frames, CropBox(2, 3, 8, 9), (8, 9))
    np.testing.assert_array_equal(found, frames[:, 2:10, 3:12])


def test_areas_are_uniform_and_aspects_log_uniform():
    boxes = [
        random_resized_box(400, 400, area=(0.05, 0.3), aspect=(0.5, 2), generator=generator(s)) for s in range(3000)
    ]
    areas = np.array([box.height * box.width / 400**2 for box in boxes])
    aspects = np.log2([box.width / box.height for box in boxes])
    for values, low, high in ((areas, 0.05, 0.3), (aspects, -1, 1)):
        assert low - 0.01 < values.min() < low + 0.01 and high - 0.01 < values.max() < high + 0.01
        quarters = np.histogram(values, bins=4, range=(low, high))[0] / len(values)
        assert np.abs(quarters - 0.25).max() < 0.035
    assert all(0 <= b.top <= 400 - b.height and 0 <= b.left <= 400 - b.width for b in boxes)
    places = np.array([(b.top / (400 - b.height), b.left / (400 - b.width)) for b in boxes])
    assert np.abs(places.mean(axis=0) - 0.5).max() < 0.03


def test_where_no_try_fits_it_is_the_centre_at_the_nearest_aspect():
    assert resized_box_from(Always(1), 100, 1000, area=(1, 1), aspect=(0.75, 4 / 3)) == (0, 433, 100, 133)
    assert centre_box(1000, 100, aspect=(0.75, 4 / 3)) == (433, 0, 133, 100)
    assert centre_box(100, 120, aspect=(0.75, 4 / 3)) == (0, 0, 100, 120)


def test_a_part_may_be_as_high_as_the_frame():
    """Half of the area at half the width: not the fallback, which is the whole frame."""
    assert resized_box_from(Always(0), 100, 100, area=(0.5, 0.5), aspect=(0.5, 2)) == (0, 0, 100, 50)
    assert resized_box_from(Always(1), 100, 100, area=(0.5, 0.5), aspect=(0.5, 2)) == (50, 0, 50, 100)


def test_there_are_ten_tries():
    class TooLargeNineTimes(Always):
        tries = 0

        def uniform(self, a: float, b: float) -> float:
            if (a, b) != (0.08, 1.0):
                return a  # log of the lowest aspect
            self.tries += 1
            return 1.0 if self.tries < self.fits else 0.08

    for fits, hit in ((10, True), (11, False)):
        draws = TooLargeNineTimes(0)
        draws.fits = fits
        box = resized_box_from(draws, 100, 100, area=AREA, aspect=ASPECT)
        assert (box.height < 100) is hit and draws.tries == 10


def test_a_square_crop_may_be_anywhere_also_at_the_end():
    """The reference never draws the last offset."""
    boxes = {random_square_box(7, 8, size=5, generator=generator(seed)) for seed in range(300)}
    assert boxes == {(top, left, 5, 5) for top in range(3) for left in range(4)}
    assert random_square_box(5, 5, size=5, generator=generator(0)) == (0, 0, 5, 5)


def test_short_sides_are_uniform_or_their_inverse_is():
    sides = np.array([random_short_side((100, 300), inverse=False, generator=generator(s)) for s in range(3000)])
    inverse = np.array([random_short_side((100, 300), inverse=True, generator=generator(s)) for s in range(3000)])
    for found in (sides, inverse):
        assert 100 <= found.min() <= 101 and 299 <= found.max() <= 300
    assert sides.mean() == pytest.approx(200, abs=4)
    assert (1 / inverse).mean() == pytest.approx((1 / 100 + 1 / 300) / 2, abs=1e-4)
    assert inverse.mean() == pytest.approx(150 * math.log(3), abs=4)


def test_the_long_side_is_rounded_down():
    assert size_at_short_side(240, 427, 256) == (256, 455)
    assert size_at_short_side(427, 240, 256) == (455, 256)
    assert size_at_short_side(240, 245, 240) == (240, 245)  # though 245 / 240 * 240 is a little less
    assert size_at_short_side(245, 240, 240) == (245, 240)
    height, width = jitter_scale(240, 427, scales=(256, 320), generator=generator(3))
    assert 256 <= height <= 320 and width == math.floor(427 / 240 * height)


def test_the_generator_decides():
    first, again, other = (
        [random_resized_box(256, 340, area=AREA, aspect=ASPECT, generator=g) for _ in range(5)]
        for g in (generator(1), generator(1), generator(2))
    )
    assert first == again != other


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"224 pixels does not fit in a frame of 200 x 300: DATA.TRAIN_JITTER_SCALES"):
        random_square_box(200, 300, size=224, generator=generator(0))
    with pytest.raises(ValueError, match=r"does not fit .* DATA.TEST_CROP_SIZE"):
        uniform_crop_offsets(300, 200, size=224, num_crops=1)
    with pytest.raises(ValueError, match=r"1 or 3 crops, got 5 \(TEST.NUM_SPATIAL_CROPS\)"):
        uniform_crop_offsets(300, 300, size=224, num_crops=5)
