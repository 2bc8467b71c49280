"""Masks: how much they hide, of what shape, and that a generator alone decides."""

import random

import numpy as np
import pytest
import torch

from slowfast.datasets.augment.masks import MaskShape, find_block

PUBLISHED = MaskShape((8, 7, 7), 0.4)  # k400_MVITv2_S_16x4_MaskFeat_PT.yaml


def drawn(shape: MaskShape, count: int = 200, seed: int = 0) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([shape.draw(generator) for _ in range(count)]).numpy()


@pytest.mark.parametrize(
    ("shape", "wanted", "least"),
    [
        (PUBLISHED, 157, 139),
        (MaskShape((8, 7, 7), 0.4, "tube"), 160, 152),
        (MaskShape((8, 7, 7), 0.4, "frames"), 147, 147),
        (MaskShape((1, 14, 14), 0.4), 78, 50),
        (MaskShape((4, 4, 4), 0.75), 48, 40),
    ],
)
def test_the_ratio_is_reached_and_never_passed(shape, wanted, least):
    hidden = drawn(shape).reshape(200, -1).sum(axis=1)
    assert shape.masked == wanted and hidden.max() == wanted and hidden.min() >= least
    assert hidden.mean() >= 0.96 * wanted


def test_a_cube_is_made_of_blocks_over_consecutive_times():
    """9 to 49 cells a time before rounding, smaller than the window, 1 to 8 times."""
    lengths, shapes, empty = set(), set(), np.zeros((8, 7, 7), dtype=bool)
    for seed in range(300):
        t, y, x = find_block(empty, 392, 9, 49, random.Random(seed))
        assert 0 <= t.start < t.stop <= 8 and 0 <= y.start < y.stop <= 7 and 0 <= x.start < x.stop <= 7
        lengths.add(t.stop - t.start)
        shapes.add((y.stop - y.start, x.stop - x.start))
    assert lengths == set(range(1, 9)) and len(shapes) > 10
    assert all(8 <= height * width <= 36 and 0.2 < height / width < 5 for height, width in shapes)


def test_a_block_never_hides_more_than_there_is_room_for_nor_nothing_new():
    mask = np.zeros((8, 7, 7), dtype=bool)
    mask[:4] = True
    for seed in range(50):
        block = find_block(mask, 30, 9, 49, random.Random(seed))
        assert 0 < (~mask[block]).sum() <= 30
    mask[:] = True
    assert find_block(mask, 30, 9, 49, random.Random(0)) is None


def test_all_places_are_hidden_about_as_often_and_the_middle_more():
    often = drawn(PUBLISHED, 600).mean(axis=0)
    assert often.min() > 0.02 and often[3, 3, 3] > 2 * often[0, 0, 0]
    np.testing.assert_allclose(often.mean(axis=0), often.mean(axis=0).T, atol=0.08)  # height and width alike


def test_a_tube_is_the_same_at_all_times_and_frames_are_whole():
    tubes = drawn(MaskShape((8, 7, 7), 0.4, "tube"), 20)
    assert (tubes == tubes[:, :1]).all() and 0 < tubes.mean() < 1
    frames = drawn(MaskShape((8, 7, 7), 0.4, "frames"), 20)
    assert (frames == frames[:, :, :1, :1]).all() and (frames[:, :, 0, 0].sum(axis=1) == 3).all()
    cubes = drawn(PUBLISHED, 20)
    assert (cubes != cubes[:, :1]).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("kind", ["cube", "tube", "frames"])
def test_the_generator_decides_everything(kind):
    shape = MaskShape((8, 7, 7), 0.4, kind)
    assert np.array_equal(drawn(shape, 5), drawn(shape, 5))
    assert not np.array_equal(drawn(shape, 5), drawn(shape, 5, seed=1))
    random.seed(3)
    again = drawn(shape, 5)
    random.seed(4)
    assert np.array_equal(again, drawn(shape, 5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((8, 7, 7), 0.4, "cubes"), r"'cubes' \(AUG\.MASK_TUBE, AUG\.MASK_FRAMES\)"),
        (((8, 7, 7), 0.0), r"got 0\.0 \(AUG\.MASK_RATIO\)"),
        (((8, 7, 7), 0.001), "nothing or everything: change AUG.MASK_RATIO"),
        (((1, 4, 4), 0.4, "frames"), "nothing or everything"),
        (((8, 7, 1), 0.4), r"needs 2 or more each way \(AUG\.MASK_WINDOW_SIZE\)"),
    ],
)
def test_what_cannot_be_drawn_says_why(arguments, message):
    with pytest.raises(ValueError, match=message):
        MaskShape(*arguments)
