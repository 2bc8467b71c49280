"""Curves, parts and confusion by hand, and against the mAP they are parts of."""

import numpy as np
import pytest

from slowfast.evaluation.diagnosis.breakdown import (
    class_curves,
    confusion,
    parts_by_crowd,
    parts_by_size,
)
from slowfast.evaluation.diagnosis.error_analysis import ErrorAnalysis
from slowfast.evaluation.diagnosis.key_frame_verdicts import key_frame_verdicts
from slowfast.evaluation.diagnosis.person_matches import PersonMatches, match_people
from slowfast.evaluation.frames.frame_map import frame_map
from slowfast.structures.annotations.label_map import LabelMap
from tests.unit.evaluation.tables import random_case, table

LABELS = LabelMap((1, 2, 5), ("stand", "sit", "wave"))
LEFT, RIGHT = (0.0, 0.0, 0.2, 0.4), (0.5, 0.0, 0.7, 0.4)


def match(truth: list[tuple], found: list[tuple]) -> PersonMatches:
    return match_people(table(*truth), table(*found, scored=True), LABELS, protocol="uncapped")


@pytest.mark.parametrize("seed", range(5))
def test_the_area_under_each_curve_is_the_ap_of_the_evaluator(seed):
    truth, found = random_case(seed)
    labels = LabelMap((1, 2, 3, 4, 5), tuple("abcde"))
    expected = frame_map(truth, found, labels)
    for curve, ap in zip(class_curves(match_people(truth, found, labels)), expected.ap, strict=True):
        assert curve.ap == ap
        assert np.sum(np.diff(curve.recall, prepend=0) * curve.precision) == pytest.approx(ap)


def test_parts_by_size_by_hand():
    small, middle, big = (0, 0, 0.1, 0.1), (0.3, 0, 0.5, 0.2), (0.5, 0.5, 1, 1)
    truth = [("a", 1, small, 1), ("a", 2, middle, 1), ("a", 3, big, 1)]
    # the small one found after a false box of big size, which the small part does not count; the big one not found
    found = [("a", 9, big, 1, 0.99), ("a", 1, small, 1, 0.5), ("a", 2, middle, 1, 0.8), ("a", 2, big, 1, 0.9)]
    truth.append(("a", 9, None, -1))
    parts = parts_by_size(match(truth, found))
    assert [part.name for part in parts] == ["small, to 3 %", "medium, 3 % to 11 %", "large, over 11 %"]
    assert [(part.instances, part.mean_ap) for part in parts] == [(1, 1.0), (1, 1.0), (1, 0.0)]


def test_an_area_at_the_edge_of_two_sizes_is_of_the_smaller_one():
    # The thirds of four areas end at the second and third of them exactly.
    sizes = [(0, 0, 0.125, 0.125), (0, 0, 0.25, 0.25), (0, 0, 0.5, 0.5), (0, 0, 1, 1)]
    truth = [("a", t, box, 1) for t, box in enumerate(sizes, start=1)] + [("a", 9, None, -1)]
    found = [("a", t, box, 1, 0.5) for t, box in enumerate(sizes, start=1)]
    # Two false detections that score higher, as large as the edges: of the small part and of the medium one.
    found += [("a", 9, sizes[1], 1, 0.9), ("a", 9, sizes[2], 1, 0.8)]
    parts = parts_by_size(match(truth, found))
    assert [(part.instances, part.mean_ap) for part in parts] == [(2, pytest.approx(2 / 3)), (1, 0.5), (1, 1.0)]


def test_parts_by_crowd_by_hand():
    truth = [("a", 1, LEFT, 1), ("a", 2, LEFT, 1), ("a", 2, RIGHT, 1), ("a", 3, None, -1)]
    found = [("a", 1, RIGHT, 1, 0.9), ("a", 1, LEFT, 1, 0.8), ("a", 2, LEFT, 1, 0.7), ("a", 3, LEFT, 1, 1.0)]
    parts = parts_by_crowd(match(truth, found))
    assert [(p.name, p.instances, p.mean_ap) for p in parts] == [("1 person", 1, 0.5), ("2 people", 2, 0.5)]


@pytest.mark.parametrize(
    ("people", "name"),
    [(1, "1 person"), (2, "2 people"), (3, "3 or 4"), (4, "3 or 4"), (5, "5 or more"), (6, "5 or more")],
)
def test_every_crowd_is_of_one_part(people, name):
    truth = [("a", 1, (k / 8, 0, (k + 1) / 8, 1), 1) for k in range(people)]
    parts = parts_by_crowd(match(truth, [("a", 1, LEFT, 1, 0.5)]))
    assert [(part.name, part.instances) for part in parts] == [(name, people)]


def test_confusion_by_hand():
    truth = [("a", 1, LEFT, 1), ("a", 1, LEFT, 5), ("a", 1, RIGHT, 2), ("a", 2, LEFT, 2), ("a", 3, RIGHT, 1)]
    found = [
        *(("a", 1, LEFT, 1, 0.9), ("a", 1, LEFT, 2, 0.6), ("a", 1, LEFT, 5, 0.5)),  # sit beats wave, not stand
        *(("a", 1, RIGHT, 1, 0.3), ("a", 1, RIGHT, 2, 0.4), ("a", 1, RIGHT, 5, 0.1)),
        *(("a", 2, LEFT, 5, 0.8),),  # its own action has no score at all
    ]
    result = confusion(match(truth, found))
    assert result.names == LABELS.names
    assert result.counts.tolist() == [[1, 0, 0], [0, 1, 1], [0, 1, 0]]
    assert (result.people, result.missed) == (3, 1)


def test_a_person_is_judged_by_the_nearest_box():
    near, nearer = (0.0, 0.0, 0.25, 0.4), (0.0, 0.0, 0.21, 0.4)
    found = [("a", 1, near, 2, 0.99), ("a", 1, nearer, 1, 0.2)]
    assert confusion(match([("a", 1, LEFT, 1)], found)).counts[0].tolist() == [1, 0, 0]


ACTIONS = LabelMap((1, 2, 3, 4), tuple("abcd"))


def counted(does: dict[str, tuple], scored: dict[str, tuple[float, ...]]) -> tuple[dict[str, int], int, int]:
    """does: {place: class ids}; scored: {place: scores of the classes, nan for none} -> ({"ab": a taken for b}, ...)."""
    places = {name: (k / 8, 0.0, (k + 1) / 8, 0.5) for k, name in enumerate("uvwxyz")}
    truth = [("v", 1, places[place], label) for place, labels in does.items() for label in labels]
    found = [
        ("v", 1, places[place], label, score)
        for place, scores in scored.items()
        for label, score in zip(ACTIONS.ids, scores, strict=True)
        if not np.isnan(score)
    ]
    m = match_people(table(*truth), table(*found, scored=True), ACTIONS, protocol="uncapped")
    result = confusion(m)
    names = {a + b: int(result.counts[i, j]) for i, a in enumerate("abcd") for j, b in enumerate("abcd")}
    return {pair: count for pair, count in names.items() if count}, result.people, result.missed


@pytest.mark.parametrize(
    ("does", "scores", "expected"),
    [
        ((1,), (0.9, 0.8, 0.1, 0.1), {"aa": 1}),
        ((1,), (0.7, 0.8, 0.1, 0.9), {"ad": 1}),  # the most confident of two that beat it
        ((1,), (0.5, 0.1, 0.5, 0.1), {"ac": 1}),  # as high as the own action is enough
        ((3,), (0.5, 0.1, 0.5, 0.1), {"ca": 1}),
        ((2,), (0.5, 0.1, 0.5, 0.5), {"ba": 1}),  # of equal wrong ones the first
        ((1, 2), (0.9, 0.2, 0.5, 0.1), {"aa": 1, "bc": 1}),  # the own actions do not beat each other
        ((1, 2), (0.2, 0.9, 0.1, 0.1), {"aa": 1, "bb": 1}),
        ((1, 3, 4), (0.3, 0.6, 0.5, 0.7), {"ab": 1, "cb": 1, "dd": 1}),
        ((1, 2, 3, 4), (0.1, 0.2, 0.3, 0.4), {"aa": 1, "bb": 1, "cc": 1, "dd": 1}),  # nothing that it does not do
        ((1, 4), (np.nan, 0.1, np.nan, 0.2), {"ab": 1, "dd": 1}),  # no score is below all others
        ((2,), (np.nan, 0.1, np.nan, np.nan), {"bb": 1}),
        ((2,), (0.1, np.nan, np.nan, np.nan), {"ba": 1}),
    ],
)
def test_confusion_of_one_person(does, scores, expected):
    assert counted({"u": does}, {"u": scores}) == (expected, 1, 0)


def test_confusion_adds_up_over_people_and_leaves_out_who_was_missed():
    does = {"u": (1,), "v": (1, 2), "w": (2,), "x": (3,), "y": (-1,), "z": (1, 3, 4)}
    scores = {
        "u": (0.9, 0.8, 0.1, 0.1),
        "v": (0.9, 0.2, 0.5, 0.1),
        "w": (0.1, 0.2, 0.9, 0.1),
        "y": (1.0, 0.1, 0.1, 0.1),
    }
    # x and z were missed; y was found but does nothing, so it is neither
    assert counted(does, scores) == ({"aa": 2, "bc": 2}, 3, 2)


def test_of_two_boxes_equally_near_a_person_the_first_is_its_box():
    person, low, high = (0.25, 0.0, 0.75, 1.0), (0.125, 0.0, 0.625, 1.0), (0.375, 0.0, 0.875, 1.0)
    found = [("v", 1, high, 2, 0.9), ("v", 1, low, 1, 0.2)]  # by place: low, which takes it for what it is
    m = match_people(table(("v", 1, person, 1)), table(*found, scored=True), ACTIONS, protocol="uncapped")
    assert confusion(m).counts.sum(axis=0).tolist() == [1, 0, 0, 0]


def test_verdicts_by_hand():
    truth = [("a", 1, LEFT, 1), ("a", 1, LEFT, 5), ("a", 1, RIGHT, 2), ("b", 7, LEFT, 1), ("b", 8, None, -1)]
    found = [("a", 1, LEFT, 1, 0.9), ("a", 1, LEFT, 5, 0.4), ("a", 1, LEFT, 2, 0.35), ("b", 7, LEFT, 1, 1.0)]
    matches = match(truth, found)
    first, second = key_frame_verdicts(matches, ErrorAnalysis(matches).kind)
    assert (first.video, first.timestamp, first.people, first.found) == ("a", 1, 2, 1)
    assert first.error == pytest.approx((0.1 + 0.6 + 1 + 0.35) / 2)
    assert first.hit == pytest.approx((0.9 + 0.4 + 0) / 3) and second.hit == 1
    assert first.missed == ("sit: nobody found", "wave: 0.40")
    assert first.false == ("sit: 0.35 (wrong action)",)
    assert (second.video, second.error, second.missed, second.false) == ("b", 0.0, (), ())


def test_verdicts_tell_what_is_worth_it_and_no_more_than_four():
    boxes = [(k / 8, 0, (k + 1) / 8, 1) for k in range(6)]
    truth = [("a", 1, box, 1) for box in boxes]
    # what is found with just 0.5 is told, and a false detection of just 0.3
    found = [
        ("a", 1, boxes[0], 1, 0.5),
        ("a", 1, boxes[1], 1, 0.51),
        ("a", 1, boxes[0], 2, 0.3),
        ("a", 1, boxes[1], 2, 0.29),
    ]
    matches = match(truth, found)
    (one,) = key_frame_verdicts(matches, ErrorAnalysis(matches).kind)
    assert one.missed == ("stand: nobody found",) * 4 and one.false == ("sit: 0.30 (wrong action)",)
    matches = match(truth[:2], found)
    (one,) = key_frame_verdicts(matches, ErrorAnalysis(matches).kind)
    assert one.missed == ("stand: 0.50",)
    many = [("a", 1, box, 2, 0.4 + k / 10) for k, box in enumerate(boxes[:5])]
    matches = match(truth, many)
    (one,) = key_frame_verdicts(matches, ErrorAnalysis(matches).kind)
    assert [text[:9] for text in one.false] == ["sit: 0.80", "sit: 0.70", "sit: 0.60", "sit: 0.50"]
