"""Overlap of tubes and video-mAP, by hand and by property."""

import numpy as np
import pytest

from slowfast.evaluation.tubes.overlap import tube_iou, tube_nms
from slowfast.evaluation.tubes.video_map import RANGE, video_map
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.annotations.tube import Tube
from tests.unit.evaluation.tubes.tube_makers import BOX, tube

LABELS = LabelMap((1, 2), ("run", "wave"))


def shifted(by: float) -> tuple:
    return (BOX[0] + by, BOX[1], BOX[2] + by, BOX[3])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (tube("v", 1, 1, 10), tube("v", 1, 1, 10), 1.0),
        (tube("v", 1, 1, 10), tube("v", 1, 6, 15), 5 / 15),  # half the time of each, in the same place
        (tube("v", 1, 1, 10), tube("v", 1, 1, 10, box=shifted(0.1)), 1 / 3),  # half the width of each, at the same time
        (tube("v", 1, 1, 10), tube("v", 1, 6, 15, box=shifted(0.1)), 5 / 15 / 3),
        (tube("v", 1, 1, 10), tube("v", 1, 11, 20), 0.0),
        (tube("v", 1, 1, 10), tube("v", 1, 10, 19), 1 / 19),
        # A tube with missing frames: 2 common frames of 10.
        (tube("v", 1, 1, 10), Tube("v", 1, np.array([2, 9]), np.array([BOX, BOX])), 0.2),
        (tube("v", 1, 4, 6), Tube("v", 1, np.array([2, 9]), np.array([BOX, BOX])), 0.0),
    ],
)
def test_overlap_in_space_and_time(a, b, expected):
    assert tube_iou(a, b) == pytest.approx(expected)
    assert tube_iou(b, a) == pytest.approx(expected)


def test_suppression_keeps_the_better_of_two_alike():
    best, same, later = tube("v", 1, 1, 10, score=0.9), tube("v", 1, 1, 9, score=0.8), tube("v", 1, 11, 20, score=0.1)
    assert tube_nms([later, same, best], 0.3) == [best, later]
    assert tube_nms([same, best], 0.9) == [best, same]  # they overlap by exactly 0.9: not more


def score(truth, tubes, **settings):
    return video_map(truth, tubes, LABELS, videos=["v", "w"], **settings).summary()


def test_thresholds_by_hand():
    # Overlap 0.6: found at 0.2 and 0.5, and at 0.5, 0.55 and 0.6 of the ten thresholds.
    found = score([tube("v", 1, 1, 10)], [tube("v", 1, 1, 6, score=0.5)])
    assert list(found) == ["video_mAP@0.2", "video_mAP@0.5", "video_mAP@0.75", "video_mAP@0.5:0.95"]
    assert list(found.values()) == pytest.approx([1, 1, 0, 0.3])
    assert len(RANGE) == 10 and RANGE[0] == 0.5 and RANGE[-1] == 0.95


def test_a_false_alarm_above_the_hit_and_each_ap_rule():
    truth = [tube("v", 1, 1, 10)]
    tubes = [tube("v", 1, 1, 10, score=0.5), tube("w", 1, 1, 10, score=0.9)]
    values = {
        rule: score(truth, tubes, ap_rule=rule)["video_mAP@0.5"]
        for rule in ("voc_all_point", "voc_11_point", "trapezoid")
    }
    assert values == {"voc_all_point": 0.5, "voc_11_point": 0.5, "trapezoid": 0.25}


def test_each_annotated_tube_is_found_once_and_the_next_best_is_taken():
    first, second = tube("v", 1, 1, 10), tube("v", 1, 3, 12)
    # Both are nearest to the first; the second one takes what is left, at an overlap of 8/12.
    twice = [tube("v", 1, 1, 10, score=0.9), tube("v", 1, 1, 10, score=0.8)]
    assert score([first, second], twice)["video_mAP@0.5"] == 1
    assert score([first, second], twice)["video_mAP@0.75"] == 0.5
    assert score([first], twice)["video_mAP@0.5"] == 1  # the false alarm comes after everything is found
    assert score([first], [tube("v", 1, 1, 10, score=0.8)] * 2)["video_mAP@0.5"] == 0.75  # either may come first


def test_an_overlap_of_just_the_threshold_finds_and_one_of_less_does_not():
    found = score([tube("v", 1, 1, 8)], [tube("v", 1, 1, 6, score=0.5)])  # overlap 0.75
    assert found["video_mAP@0.75"] == 1
    assert found["video_mAP@0.5:0.95"] == pytest.approx(0.6)  # 0.5 to 0.75


def test_of_equal_overlaps_the_first_annotated_tube_is_found():
    # One overlaps both by 7/9, the other the later one alone: both are found when the earlier is taken first.
    early, late = tube("v", 1, 1, 8), tube("v", 1, 3, 10)
    both, one = tube("v", 1, 2, 9, score=0.9), tube("v", 1, 5, 12, score=0.8)
    assert tube_iou(both, early) == tube_iou(both, late) and tube_iou(one, early) < 0.5 <= tube_iou(one, late)
    assert score([early, late], [both, one])["video_mAP@0.5"] == 1
    assert score([late, early], [both, one])["video_mAP@0.5"] == 0.5  # as annotated: the later one is taken


@pytest.mark.parametrize("rule", ["voc_all_point", "voc_11_point", "trapezoid"])
def test_properties(rule):
    rng = np.random.default_rng(0)
    truth = [tube(video, label, first, first + 12) for video in "vw" for label in (1, 2) for first in (1, 14, 30)]
    perfect = [tube(t.video, t.label, t.frames[0], t.frames[-1], score=float(rng.random())) for t in truth]
    assert list(score(truth, perfect, ap_rule=rule).values()) == pytest.approx([1] * 4)
    worse = [*perfect, *(tube(t.video, t.label, t.frames[0], t.frames[-1], score=t.score) for t in perfect)]
    result = score(truth, worse, ap_rule=rule)
    assert all(value < 1 for value in result.values())  # duplicates
    shuffled = [worse[i] for i in rng.permutation(len(worse))]
    assert score([truth[i] for i in rng.permutation(len(truth))], shuffled, ap_rule=rule) == result


def test_what_is_left_out_is_counted_and_shown():
    truth = [tube("v", 1, 1, 10), tube("elsewhere", 1, 1, 10)]
    tubes = [tube("v", 1, 1, 10, score=0.5), tube("elsewhere", 1, 1, 9, score=0.5), tube("v", 7, 1, 9, score=0.5)]
    result = video_map(truth, tubes, LABELS, videos=["v"], linking="by hand")
    assert result.summary()["video_mAP@0.5"] == 1 and result.instances.tolist() == [1, 0]
    assert list(result.counters.values()) == [1, 1]
    text = result.table()
    assert "n/a" in text and "1 of 2 classes have annotated tubes | 1 videos | by hand" in text
    assert "warning: 1 tubes are on videos outside the test set" in text
    assert result.report()["AP"]["0.5"] == {"run": 1.0, "wave": None}


def test_no_tube_is_a_zero_and_errors_say_why():
    truth = [tube("v", 1, 1, 10)]
    assert set(score(truth, []).values()) == {0.0}
    with pytest.raises(ValueError, match="none of the 1 tubes is on a test video; one is on 'x'"):
        score(truth, [tube("x", 1, 1, 10, score=0.5)])
    with pytest.raises(ValueError, match="every tube needs a finite score"):
        score(truth, [tube("v", 1, 1, 10)])
    with pytest.raises(ValueError, match="every tube needs a finite score"):
        score(truth, [tube("v", 1, 1, 10, score=float("nan"))])
    with pytest.raises(ValueError, match="no tube of any class of the label map is annotated"):
        score([tube("v", 9, 1, 10)], [])
    with pytest.raises(ValueError, match="ap_rule must be one of voc_all_point, voc_11_point, trapezoid, got 'x'"):
        score(truth, [], ap_rule="x")
