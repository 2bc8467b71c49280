"""slowfast.datasets.augment.erasing: golden rectangles with the reference's numbers fed in, statistics with our own."""

import math
import random

import numpy as np
import pytest
import torch

from slowfast.datasets.augment.erasing import (
    IMAGE_TRIES,
    VIDEO_TRIES,
    check_mode,
    draw_rectangle,
    draw_rectangles,
    erase,
    rectangle_from,
)
from tests.unit.datasets.augment.golden_values import golden

GOLDEN = golden("random_erasing.json")


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("key", GOLDEN["boxes"])
def test_rectangles_are_those_of_the_reference(key):
    kind, size, seed = key.split("_")
    height, width = map(int, size.split("x")[-2:])
    draws = random.Random(int(seed.removeprefix("seed")))
    draws.random()  # whether there is one
    tries = VIDEO_TRIES if kind == "video" else IMAGE_TRIES
    assert [*rectangle_from(draws, height, width, tries=tries), True] == GOLDEN["boxes"][key]


def test_statistics_are_those_of_the_reference():
    expected = GOLDEN["statistics_4000_prob0.25_112"]
    drawn = [draw_rectangle(112, 112, 0.25, generator(seed)) for seed in range(12000)]
    boxes = np.array([box for box in drawn if box is not None])
    assert len(boxes) / len(drawn) == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 12000))
    assert len(boxes) / len(drawn) == pytest.approx(expected["fraction"], abs=4 * math.sqrt(0.25 * 0.75 / 4000))
    heights, widths = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    areas, aspects = heights * widths / 112**2, np.log(heights / widths)
    error = np.hypot(1 / math.sqrt(len(boxes)), 1 / math.sqrt(4000 * 0.255))
    assert areas.mean() == pytest.approx(expected["area_mean"], abs=4 * error * areas.std())
    assert aspects.mean() == pytest.approx(expected["log_aspect_mean"], abs=4 * error * aspects.std())
    for values, name in ((areas, "area"), (aspects, "log_aspect")):
        assert values.min() == pytest.approx(expected[f"{name}_min"], abs=0.04)
        assert values.max() == pytest.approx(expected[f"{name}_max"], abs=0.04)
    assert (heights < 112).all() and (widths < 112).all()
    places = np.stack([boxes[:, 0] / (112 - heights), boxes[:, 2] / (112 - widths)])
    assert places.min() == 0 and places.max() == 1 and np.abs(places.mean(axis=1) - 0.5).max() < 0.03


def test_a_probability_of_0_or_1_is_certain():
    assert all(draw_rectangle(50, 60, 0.0, generator(seed)) is None for seed in range(50))
    assert all(draw_rectangle(50, 60, 1.0, generator(seed)) is not None for seed in range(50))


def test_a_rectangle_is_smaller_than_the_clip_both_ways():
    """As tall as the clip is not allowed, which leaves nothing to draw here."""
    assert draw_rectangle(8, 80, 1.0, generator(0), area=(0.1, 0.1), aspect=(1, 1)) is None
    assert draw_rectangle(9, 80, 1.0, generator(0), area=(0.1, 0.1), aspect=(1, 1)) is not None
    assert draw_rectangle(80, 8, 1.0, generator(0), area=(0.1, 0.1), aspect=(1, 1)) is None


class TooLarge:
    """Rectangles that do not fit, but for the last of `tries`."""

    def __init__(self, tries: int) -> None:
        self.left = tries

    def uniform(self, a: float, b: float) -> float:
        if a < 0:
            return 0.0  # log of the aspect
        self.left -= 1
        return 0.25 if not self.left else 1.0

    def randint(self, a: int, b: int) -> int:
        return a


def test_there_are_100_tries_for_a_video_and_10_for_an_image():
    assert (VIDEO_TRIES, IMAGE_TRIES) == (100, 10)
    assert rectangle_from(TooLarge(100), 40, 40) == (0, 20, 0, 20)
    assert rectangle_from(TooLarge(101), 40, 40) is None
    assert rectangle_from(TooLarge(11), 40, 40, tries=10) is None


def test_aspect_is_height_by_width():
    y0, y1, x0, x1 = draw_rectangle(100, 100, 1.0, generator(0), area=(0.09, 0.09), aspect=(4, 4))
    assert (y1 - y0, x1 - x0) == (60, 15)


def test_several_rectangles_share_the_area_of_one():
    drawn = torch.stack([draw_rectangles(200, 200, 0.5, generator(seed), count=3) for seed in range(400)])
    assert drawn.shape == (400, 3, 4) and drawn.dtype == torch.int64
    some = drawn.flatten(1).any(1)
    assert 0.4 < some.float().mean() < 0.6
    areas = (drawn[some, :, 1] - drawn[some, :, 0]) * (drawn[some, :, 3] - drawn[some, :, 2]) / 200**2
    assert (areas > 0.018 / 3).all() and (areas < 0.345 / 3).all()
    assert areas.mean() == pytest.approx((0.02 + 1 / 3) / 6, rel=0.06)


def rectangles() -> torch.Tensor:
    return torch.tensor([[2, 7, 3, 9], [0, 0, 0, 0], [0, 10, 0, 1]])


def clips(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.full((3, 3, 4, 10, 12), 9.0, dtype=dtype)


def test_rectangles_of_all_frames_become_noise_and_nothing_else():
    batch = clips()
    assert erase(batch, rectangles(), torch.tensor([5, 6, 7])) is batch
    assert (batch[0, :, :, 2:7, 3:9] != 9).all() and (batch[2, :, :, :, :1] != 9).all()
    batch[0, :, :, 2:7, 3:9] = 9
    batch[2, :, :, :, :1] = 9
    assert (batch == 9).all()


def test_noise_is_gaussian_and_new_in_every_frame_and_channel():
    batch = torch.full((2, 3, 4, 100, 90), 9.0)
    erase(batch, torch.tensor([[0, 100, 0, 80], [0, 100, 0, 80]]), torch.tensor([1, 2]))
    noise = batch[..., :80]
    expected = GOLDEN["pixel_values"]
    assert noise.mean() == pytest.approx(expected["mean"], abs=0.02)
    assert noise.std() == pytest.approx(expected["std"], abs=0.02)
    planes = noise.flatten(3).flatten(0, 2)  # of each clip, channel and frame
    assert (torch.corrcoef(planes) - torch.eye(len(planes))).abs().max() < 0.06


def test_noise_depends_on_the_seed_of_the_clip_only():
    batch, alone = clips(), clips()[2:]
    erase(batch, rectangles(), torch.tensor([5, 6, 7]))
    erase(alone, rectangles()[2:], torch.tensor([7]))
    torch.testing.assert_close(batch[2:], alone, rtol=0, atol=0)
    erase(other := clips(), rectangles(), torch.tensor([8, 6, 7]))
    assert not torch.equal(other[0], batch[0]) and torch.equal(other[2], batch[2])


def test_noise_does_not_depend_on_how_clips_lie_in_memory():
    plain, last = clips(), clips().to(memory_format=torch.channels_last_3d)
    for batch in (plain, last):
        erase(batch, rectangles(), torch.tensor([5, 6, 7]))
    assert torch.equal(plain, last)


def test_half_precision_gets_the_same_noise_rounded():
    half, full = clips(torch.bfloat16), clips()
    for batch in (half, full):
        erase(batch, rectangles(), torch.tensor([5, 6, 7]))
    assert torch.equal(half, full.bfloat16())


def test_several_rectangles_of_a_clip_are_erased():
    batch = torch.full((1, 3, 2, 10, 12), 9.0)
    erase(batch, torch.tensor([[[0, 2, 0, 2], [5, 8, 6, 12]]]), torch.tensor([3]))
    assert (batch != 9).sum() == 3 * 2 * (4 + 18)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_not_waited_for_and_repeats_itself():
    first, again = clips().cuda(), clips().cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in (first, again):
            erase(batch, rectangles(), torch.tensor([5, 6, 7]))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(first, again) and (first != 9).sum() == 3 * 4 * (30 + 10)


def test_what_cannot_be_erased_is_named():
    with pytest.raises(ValueError, match=r"must be normalised floats before they are erased, got torch.uint8"):
        erase(clips(torch.uint8), rectangles(), torch.tensor([5, 6, 7]))
    with pytest.raises(ValueError, match=r"\(2, 11, 3, 9\) is not inside a clip of 10 x 12"):
        erase(clips(), torch.tensor([[2, 11, 3, 9]] * 3), torch.tensor([5, 6, 7]))
    with pytest.raises(ValueError, match=r"mode pixel; got 'const' \(AUG.RE_MODE\)"):
        check_mode("const")
    check_mode("pixel")
