"""The three ways from precision and recall to AP, by hand and against a curve walked row by row."""

import numpy as np
import pytest

from slowfast.evaluation.ap_rules import AP_RULES, trapezoid, voc_11_point
from slowfast.evaluation.average_precision import average_precision

# Rows by descending score: hit, miss, hit, miss; two of three boxes are found.
SCORES, HITS, BOXES = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.4, 0.2]), 3
# Recall 1/3 at precision 1, recall 2/3 at precision 2/3; before the second hit the precision was 1/2.
BY_HAND = {
    "voc_all_point": 1 / 3 * 1 + 1 / 3 * 2 / 3,
    "voc_11_point": (4 * 1 + 3 * 2 / 3 + 4 * 0) / 11,  # recall 0, .1, .2, .3 | .4, .5, .6 | .7 and above
    "trapezoid": 1 / 3 * (1 + 1) / 2 + 1 / 3 * (1 / 2 + 2 / 3) / 2,
}


@pytest.mark.parametrize("name", AP_RULES)
def test_by_hand(name):
    assert AP_RULES[name](SCORES, HITS, BOXES) == pytest.approx(BY_HAND[name])


@pytest.mark.parametrize("name", AP_RULES)
def test_extremes(name):
    rule = AP_RULES[name]
    assert rule(np.array([0.1, 0.2]), np.array([0.1, 0.2]), 2) == 1  # all found, nothing else
    assert rule(np.array([0.1]), np.zeros(0), 2) == 0  # nothing found
    assert rule(np.zeros(0), np.zeros(0), 2) == 0  # no detection
    assert np.isnan(rule(np.array([0.1]), np.zeros(0), 0))  # nothing to find


def test_eleven_points_meet_recalls_that_floats_miss():
    # 3 of 10 boxes, all right: recall 0.3 is reached, although 3 * 0.1 > 3 / 10 in floats.
    scores = np.array([0.7, 0.8, 0.9])
    assert voc_11_point(scores, scores, 10) == pytest.approx(4 / 11)


def test_equal_scores_are_one_step():
    scores, hits = np.array([0.5, 0.5]), np.array([0.5])
    assert trapezoid(scores, hits, 1) == pytest.approx((1 + 0.5) / 2)
    assert average_precision(scores, hits, 1) == 0.5
    assert voc_11_point(scores, hits, 1) == 0.5


@pytest.mark.parametrize("seed", range(5))
def test_against_a_curve_walked_row_by_row(seed):
    rng = np.random.default_rng(seed)
    hit = rng.random(60) < 0.4
    score = np.sort(rng.random(60))[::-1]
    boxes = int(hit.sum()) + 3
    precision = np.cumsum(hit) / np.arange(1, 61)
    recall = np.cumsum(hit) / boxes
    raw_r, raw_p = np.append(0, recall), np.append(1, precision)
    expected = {
        "trapezoid": float(((raw_p[1:] + raw_p[:-1]) / 2 * np.diff(raw_r)).sum()),
        "voc_all_point": sum(precision[i:].max() for i in np.flatnonzero(hit)) / boxes,
        "voc_11_point": np.mean([max(precision[recall >= t / 10 - 1e-9], default=0) for t in range(11)]),
    }
    for name, rule in AP_RULES.items():
        assert rule(score[::-1], score[hit], boxes) == pytest.approx(expected[name]), name
