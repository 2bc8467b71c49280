"""Which detection finds which box: what decides between equals. Coordinates are eighths, so that equal IoUs are equal."""

import numpy as np
import pytest

from slowfast.evaluation.frames.matching import GroundTruthCells, box_iou
from slowfast.evaluation.frames.remaining_matching import RemainingCells

# (the box that comes first, the one that comes after it, a detection that overlaps both by the same share)
EQUALLY_NEAR = {
    "x1": ((0, 0, 4, 8), (2, 0, 6, 8), (1, 0, 5, 8)),
    "y1": ((0, 0, 8, 4), (0, 2, 8, 6), (0, 1, 8, 5)),
    "x2": ((0, 0, 2, 8), (0, 0, 8, 8), (0, 0, 4, 8)),
    "y2": ((0, 0, 8, 2), (0, 0, 8, 8), (0, 0, 8, 4)),
    "x1 before y1": ((0, 4, 4, 8), (2, 0, 6, 4), (0, 0, 6, 8)),
    "y1 before x2": ((0, 0, 6, 4), (0, 2, 4, 8), (0, 0, 8, 8)),
    "x2 before y2": ((0, 0, 2, 8), (0, 0, 4, 4), (0, 0, 8, 8)),
}


def eighths(*boxes: tuple) -> np.ndarray:
    return np.array(boxes, dtype=np.float64) / 8


@pytest.mark.parametrize("kind", [GroundTruthCells, RemainingCells])
@pytest.mark.parametrize("annotated_first", [0, 1])
@pytest.mark.parametrize("name", EQUALLY_NEAR)
def test_of_equal_ious_the_box_that_comes_first_by_its_corners_is_found(name, annotated_first, kind):
    *boxes, detection = (eighths(box) for box in EQUALLY_NEAR[name])
    iou = [box_iou(detection, box)[0] for box in boxes]
    assert iou[0] == iou[1] > 0
    truth = np.concatenate(boxes[::-1] if annotated_first else boxes)
    cells = kind(np.array([5, 5]), truth, num_cells=8, num_classes=4, iou_threshold=iou[0])
    cells.offer(np.array([5]), detection, np.array([0.7]))
    cells.finish()
    assert cells.boxes[0].tolist() == boxes[0][0].tolist()
    assert cells.hit_score.tolist() == [0.7, -np.inf]
    assert cells.class_index.tolist() == [1, 1]


@pytest.mark.parametrize(("score", "found"), [(0.9, [0.9, 0.9]), (0.8, [0.9, 0.8])])
def test_a_second_detection_of_two_equal_ones_takes_what_is_left_or_nothing(score, found):
    first, second, detection = (eighths(box) for box in EQUALLY_NEAR["x1"])
    offers = np.array([3, 3]), np.concatenate([detection, detection]), np.array([0.9, score])
    settings = {"num_cells": 4, "num_classes": 4, "iou_threshold": 0.5}
    best = GroundTruthCells(np.array([3, 3]), np.concatenate([second, first]), **settings)
    best.offer(*offers)
    assert best.hit_score.tolist() == [0.9, -np.inf]  # its one chance was the first box
    remaining = RemainingCells(np.array([3, 3]), np.concatenate([second, first]), **settings)
    remaining.offer(*offers)
    remaining.finish()
    assert remaining.hit_score.tolist() == found


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
@pytest.mark.parametrize(
    ("chooser", "other", "hits"),
    [
        # on A alone; nearest to A and near enough to B: when the first chooses first, both find somebody
        ((2, 0, 8, 8), (1, 0, 5, 8), 2),
        ((-1, 0, 3, 8), (1, 0, 5, 8), 1),
    ],
)
def test_of_equal_scores_the_higher_corners_choose_first(chooser, other, hits, order):
    a, b = (2, 0, 6, 8), (0, 0, 4, 8)
    if hits == 1:
        a, b = (0, 0, 4, 8), (2, 0, 6, 8)
    cells = RemainingCells(np.zeros(2, int), eighths(a, b), num_cells=1, num_classes=1, iou_threshold=0.5)
    cells.offer(np.zeros(2, int), eighths(chooser, other)[order], np.array([0.5, 0.5]))
    cells.finish()
    assert int(np.isfinite(cells.hit_score).sum()) == hits


def test_the_iou_must_reach_the_threshold_and_may_equal_it():
    cells = GroundTruthCells(np.zeros(1, int), eighths((0, 0, 8, 8)), num_cells=1, num_classes=1, iou_threshold=0.5)
    cells.offer(np.zeros(2, int), eighths((0, 0, 8, 3), (0, 0, 8, 4)), np.array([0.9, 0.4]))
    assert cells.hit_score.tolist() == [0.4]


def test_boxes_without_area_overlap_nothing():
    assert box_iou(eighths((1, 1, 1, 1)), eighths((1, 1, 1, 1))).tolist() == [0]
    assert box_iou(eighths((0, 0, 2, 8)), eighths((2, 0, 4, 8))).tolist() == [0]
