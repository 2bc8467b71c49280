"""Precision and recall: by hand, against curves walked row by row, and that nobody else computes them."""

import math

import numpy as np
import pytest

from slowfast.evaluation import average_precision as module
from slowfast.evaluation.average_precision import (
    AP_RULES,
    CURVE_POINTS,
    average_precision,
    curve_steps,
    mean_precision,
    precision_and_recall,
    precision_recall,
    voc_11_point,
)
from slowfast.evaluation.diagnosis.breakdown import class_curves
from slowfast.evaluation.diagnosis.error_analysis import ErrorAnalysis
from slowfast.evaluation.diagnosis.person_matches import match_people
from slowfast.evaluation.frames.frame_map import frame_map
from slowfast.evaluation.tubes.video_map import video_map
from slowfast.evaluation.videos.scores import VideoScores
from slowfast.structures.annotations.label_map import LabelMap
from tests.unit.evaluation.tables import random_case
from tests.unit.evaluation.tubes.tube_makers import tube

# Rows by descending score: hit, miss, hit, miss; two of three boxes are found.
SCORES, HITS, BOXES = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.4, 0.2]), 3
# Recall 1/3 at precision 1, recall 2/3 at precision 2/3; before the second hit the precision was 1/2.
BY_HAND = {
    "voc_all_point": 1 / 3 * 1 + 1 / 3 * 2 / 3,
    "voc_11_point": (4 * 1 + 3 * 2 / 3 + 4 * 0) / 11,  # recall 0, .1, .2, .3 | .4, .5, .6 | .7 and above
    "trapezoid": 1 / 3 * (1 + 1) / 2 + 1 / 3 * (1 / 2 + 2 / 3) / 2,
}


def test_steps_by_hand():
    # hit, miss, two hits and a miss of one score, miss, hit
    steps = curve_steps(np.array([0.1, 0.2, 0.5, 0.5, 0.5, 0.7, 0.9]), np.array([0.1, 0.5, 0.9, 0.5]))
    assert steps.hits.tolist() == [1, 2, 1] and steps.hits_before.tolist() == [0, 1, 3]
    assert steps.detections.tolist() == [1, 3, 1] and steps.detections_before.tolist() == [0, 2, 6]


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


@pytest.mark.parametrize(
    ("scores", "hits", "people", "expected"),
    [
        ([], [], 0, math.nan),
        ([0.5], [], 0, math.nan),
        ([], [], 3, 0.0),
        ([0.1, 0.2], [], 3, 0.0),
        ([0.9], [0.9], 1, 1.0),
        ([0.9], [0.9], 4, 0.25),
        ([0.2, 0.9], [0.2], 1, 0.5),
        ([0.1, 0.2, 0.9], [0.9, 0.1], 2, 0.5 * 1 + 0.5 * 2 / 3),
        ([0.1, 0.1, 0.9], [0.9, 0.1], 2, 0.5 * 1 + 0.5 * (1 + 2 / 3) / 2),
        # one hit among four, at place 1, 2, 3 or 4
        ([0.5, 0.5, 0.5, 0.5], [0.5], 1, (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4),
        # two hits among three, at 1 and 2, 1 and 3, 2 and 3
        ([0.5, 0.5, 0.5], [0.5, 0.5], 2, ((1 + 1) / 2 + (1 + 2 / 3) / 2 + 2 / 3) / 3),
    ],
)
def test_all_points_by_hand(scores: list, hits: list, people: int, expected: float) -> None:
    value = average_precision(np.array(scores), np.array(hits), people)
    assert value == pytest.approx(expected, abs=1e-15, nan_ok=True)


def test_eleven_points_meet_recalls_that_floats_miss():
    # 3 of 10 boxes, all right: recall 0.3 is reached, although 3 * 0.1 > 3 / 10 in floats.
    scores = np.array([0.7, 0.8, 0.9])
    assert voc_11_point(scores, scores, 10) == pytest.approx(4 / 11)


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
    assert mean_precision(score, hit) == pytest.approx(precision[hit].mean())


def test_a_curve_by_hand():
    recall, precision = precision_recall(np.array([0.6, 0.7, 0.8, 0.9]), np.array([0.9, 0.7]), 4)
    assert recall.tolist() == [0.25, 0.5]
    assert precision.tolist() == pytest.approx([1, 2 / 3])
    # either of two tied rows may come first: the first hit is at place 1 or 2
    recall, precision = precision_recall(np.array([0.5, 0.5]), np.array([0.5]), 2)
    assert (recall.tolist(), precision.tolist()) == ([0.5], pytest.approx([0.75]))


def test_a_curve_with_nothing_found_is_empty_and_a_long_one_is_thinned_with_its_ends():
    assert [len(a) for a in precision_recall(np.array([0.5]), np.zeros(0), 3)] == [0, 0]
    assert [len(a) for a in precision_recall(np.array([0.5]), np.zeros(0), 0)] == [0, 0]
    scores = np.linspace(0, 1, 1000)
    recall, precision = precision_recall(scores, scores[1::2], 500)
    assert len(recall) == CURVE_POINTS and recall[0] == 1 / 500 and recall[-1] == 1.0
    assert precision[0] == 1 and (np.diff(precision) <= 0).all()


def test_mean_precision_by_hand():
    # in the order of the scores: hit, miss, two hits of one score, miss
    scores = np.array([0.3, 0.9, 0.1, 0.8, 0.3])
    expected = (1 + 2 / 3 + 3 / 4) / 3
    assert mean_precision(scores, np.array([True, True, False, False, True])) == pytest.approx(expected)
    assert np.isnan(mean_precision(scores, np.zeros(5, dtype=bool)))
    without_a_view = np.array([-np.inf, 0.5, -np.inf])  # they rank last, in any order
    expected = (1 + (2 / 2 + 2 / 3) / 2) / 2
    assert mean_precision(without_a_view, np.array([True, True, False])) == pytest.approx(expected)


def test_shares_at_a_threshold():
    assert precision_and_recall(3, 4, 6) == (0.75, 0.5)
    assert precision_and_recall(0, 0, 2) == (pytest.approx(math.nan, nan_ok=True), 0.0)
    assert precision_and_recall(0, 2, 0) == (0.0, pytest.approx(math.nan, nan_ok=True))


LABELS = LabelMap((1, 2, 3, 4, 5), tuple("abcde"))


def _classification() -> VideoScores:
    scores, labels = np.random.default_rng(0).random((6, 5)), np.eye(6, 5, dtype=bool)
    return VideoScores(tuple("uvwxyz"), LABELS.names, labels, scores, np.ones(6, int), 1, "logits")


@pytest.mark.parametrize(
    "measure",
    [
        *(lambda truth, found, rule=rule: frame_map(truth, found, LABELS, ap_rule=rule) for rule in AP_RULES),
        lambda truth, found: class_curves(match_people(truth, found, LABELS)),
        lambda truth, found: ErrorAnalysis(match_people(truth, found, LABELS)).mean_ap,
        lambda *_: video_map([tube("v", 1, 1, 5)], [tube("v", 1, 1, 5, score=0.5)], LABELS, videos=["v"]),
        lambda *_: _classification().summary(),
    ],
)
def test_every_number_comes_from_the_one_function_of_steps(measure, monkeypatch):
    """So that another rule for ties is one change: whatever is measured stops when `curve_steps` does."""

    class SteppedError(Exception):
        pass

    def stop(*_):
        raise SteppedError

    measure(*random_case(0))
    monkeypatch.setattr(module, "curve_steps", stop)
    with pytest.raises(SteppedError):
        measure(*random_case(0))
