"""Heat maps over pictures: where they are bright, and that they keep what they are given."""

import numpy as np
import pytest

from slowfast.visualization.heat_map import draw_cell, draw_heat, smooth_heat


def test_hot_is_bright_cold_is_dimmed_and_sides_are_not_swapped():
    picture = np.full((40, 60, 3), 120, np.uint8)
    before = picture.copy()
    heat = np.zeros((4, 6))
    heat[0, 5] = 2.0
    drawn = draw_heat(picture, heat, peak=2.0, scale=2)
    assert drawn.shape == (80, 120, 3) and drawn.dtype == np.uint8 and np.array_equal(picture, before)
    hot, cold = drawn[8, 110].astype(int), drawn[70, 8].astype(int)
    assert hot.sum() > 450 and hot[0] > hot[2] and 150 < cold.sum() < 300
    assert drawn[70, 110].sum() == cold.sum() == drawn[8, 8].sum()
    # Less than the peak is less hot, by its square root.
    quarter = draw_heat(picture, heat / 4, peak=2.0, scale=2)[8, 110].astype(int)
    assert cold.sum() < quarter.sum() < hot.sum()
    assert np.isfinite(draw_heat(picture, np.zeros((4, 6)), peak=0.0)).all()


def test_smoothing_keeps_the_place_and_the_sum():
    heat = np.zeros((2, 5, 7), np.float32)
    heat[1, 2, 3] = 1.0
    smooth = smooth_heat(heat)
    assert smooth[0].max() == 0 and smooth[1].sum() == pytest.approx(1) and smooth[1].argmax() == heat[1].argmax()
    assert smooth[1, 2, 2] == pytest.approx(smooth[1, 2, 4]) and smooth[1, 2, 2] > 0


def test_a_cell_is_outlined():
    picture = np.zeros((100, 200, 3), np.uint8)
    draw_cell(picture, (0.25, 0.2, 0.5, 0.6))
    assert (picture[20, 75] > 200).all() and (picture[40, 50] > 200).all()  # its upper and its left side
    assert (picture[40, 75] == 0).all() and (picture[80, 150] == 0).all()  # inside and outside
