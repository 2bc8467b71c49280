"""Tubes from boxes: online and Viterbi linking, gaps, suppression, trimming; by hand and against brute force."""

from itertools import product

import numpy as np
import pytest

from slowfast.datasets.annotations.people.tubes import read_tubes, table_of_tubes
from slowfast.evaluation.tubes.linking import LinkRules, link_tubes, trim_tube
from slowfast.evaluation.tubes.video_map import video_map
from slowfast.evaluation.tubes.viterbi import active_frames, best_path, pairwise_iou
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.tube import Tube
from tests.unit.evaluation.tubes.tube_makers import BOX, detections, tube

SHORT = {"min_length": 1}
FAR = (0.7, 0.2, 0.9, 0.6)
METHODS = ["online", "viterbi"]


def moved(t: float) -> tuple:
    return (0.1 + 0.01 * t, 0.2, 0.3 + 0.01 * t, 0.6)


@pytest.mark.parametrize("method", METHODS)
def test_a_moving_box_is_one_tube_with_its_gap_filled(method):
    rows = [("v", t, moved(t), 1, 0.8 if t < 5 else 0.6) for t in range(1, 11) if t not in (4, 5, 6)]
    (found,) = link_tubes(detections(*rows), LinkRules(method=method, **SHORT))
    assert (found.video, found.label, found.frames.tolist()) == ("v", 1, list(range(1, 11)))
    np.testing.assert_allclose(found.boxes, [moved(t) for t in range(1, 11)])  # straight lines through the gap
    np.testing.assert_allclose(found.scores, [0.8] * 3 + [0.75, 0.7, 0.65] + [0.6] * 4)
    assert found.score == pytest.approx((3 * 0.8 + 4 * 0.6) / 7)  # of what was detected


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("gap", "tubes"), [(4, 1), (5, 2)])
def test_a_long_gap_ends_a_tube(method, gap, tubes):
    frames = [1, 2, 3 + gap, 4 + gap]
    rows = detections(*(("v", t, BOX, 1, 0.5) for t in frames))
    assert len(link_tubes(rows, LinkRules(method=method, max_gap=4, **SHORT))) == tubes


@pytest.mark.parametrize("method", METHODS)
def test_classes_videos_and_people_are_kept_apart(method):
    people = [("v", 1, BOX, 0.9), ("v", 2, BOX, 0.8), ("w", 1, BOX, 0.7), ("v", 1, FAR, 0.6)]
    rows = detections(*((video, t, box, label, score) for video, label, box, score in people for t in range(1, 6)))
    found = link_tubes(rows, LinkRules(method=method, **SHORT))
    assert [(t.video, t.label, tuple(t.boxes[0]), round(t.score, 6)) for t in found] == [
        (video, label, box, score) for video, label, box, score in people
    ]


def test_a_tube_takes_the_best_box_that_is_near_not_the_nearest():
    near, nearer = (0.25, 0.2, 0.45, 0.6), (0.17, 0.2, 0.37, 0.6)  # IoU 0.6 and 0.74 with BOX, 0.43 with each other
    rows = detections(("v", 1, BOX, 1, 0.9), ("v", 2, near, 1, 0.8), ("v", 2, nearer, 1, 0.7))
    found = link_tubes(rows, LinkRules(nms_iou=0.5, **SHORT))
    assert [t.boxes.tolist() for t in found] == [[list(BOX), list(near)], [list(nearer)]]
    apart = LinkRules(nms_iou=0.5, link_iou=0.7, **SHORT)
    assert link_tubes(rows, apart)[0].boxes.tolist() == [list(BOX), list(nearer)]


def test_the_better_tube_chooses_first():
    rows = detections(
        ("v", 1, (0.2, 0, 0.4, 1), 1, 0.5), ("v", 1, (0.4, 0, 0.6, 1), 1, 0.9), ("v", 2, (0.3, 0, 0.5, 1), 1, 0.4)
    )
    found = link_tubes(rows, LinkRules(tube_nms_iou=1, **SHORT))
    assert [(t.boxes[0, 0], len(t)) for t in found] == [(0.4, 2), (0.2, 1)]


@pytest.mark.parametrize("method", METHODS)
def test_suppression_and_limits(method):
    alike = (0.21, 0.2, 0.41, 0.6)
    rows = [("v", t, BOX, 1, 0.9) for t in range(1, 21)] + [("v", t, alike, 1, 0.5) for t in range(1, 21)]
    assert len(link_tubes(detections(*rows), LinkRules(method=method))) == 1  # of two boxes alike, one
    assert len(link_tubes(detections(*rows), LinkRules(method=method, nms_iou=1, tube_nms_iou=1))) == 2
    assert len(link_tubes(detections(*rows), LinkRules(method=method, nms_iou=1))) == 1  # of two tubes alike, one
    assert len(link_tubes(detections(*rows), LinkRules(method=method, nms_iou=1, tube_nms_iou=1, top_k=1))) == 1
    assert link_tubes(detections(*rows), LinkRules(method=method, min_length=21)) == []
    assert link_tubes(detections(*rows), LinkRules(method=method, min_score=0.95)) == []
    assert link_tubes(detections(*rows), LinkRules(method=method, min_box_score=0.95)) == []
    assert link_tubes(detections(), LinkRules(method=method)) == []


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_rows_does_not_matter(method):
    rng = np.random.default_rng(1)
    low = rng.random((300, 2)) * 0.6
    size = 0.1 + rng.random((300, 2)) * 0.3
    table = BoxTable(
        ("v", "w"),
        rng.integers(0, 2, 300).astype(np.int32),
        rng.integers(1, 12, 300).astype(np.int32),
        np.concatenate([low, low + size], axis=1),
        rng.integers(1, 3, 300).astype(np.int32),
        rng.integers(1, 9, 300) / 8,
    )
    rules = LinkRules(method=method, min_length=2, trim_smoothness=0.5)
    expected = [(t.video, t.label, t.frames.tolist(), t.boxes.tolist(), t.score) for t in link_tubes(table, rules)]
    assert len(expected) > 3
    again = link_tubes(table.rows(rng.permutation(300)), rules)
    assert [(t.video, t.label, t.frames.tolist(), t.boxes.tolist(), t.score) for t in again] == expected


def test_the_best_path_against_all_paths():
    rng = np.random.default_rng(0)
    for _ in range(20):
        counts = rng.integers(1, 4, 4)
        low = [rng.random((n, 2)) * 0.5 for n in counts]
        boxes = [np.concatenate([some, some + 0.3], axis=1) for some in low]
        scores = [rng.random(n) for n in counts]
        weight = float(rng.random() * 3)

        def energy(path, boxes=boxes, scores=scores, weight=weight):
            links = range(1, len(path))
            return (
                scores[0][path[0]]
                + scores[-1][path[-1]]
                + sum(
                    scores[t - 1][path[t - 1]]
                    + scores[t][path[t]]
                    + weight * pairwise_iou(boxes[t - 1], boxes[t])[path[t - 1], path[t]]
                    for t in links
                )
            )

        best = max(product(*map(range, counts)), key=energy)
        assert energy(best_path(boxes, scores, overlap_weight=weight)) == pytest.approx(energy(best))


def test_trimming_against_all_labellings():
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, smoothness = rng.random(7), float(rng.random())

        def value(on, scores=scores, smoothness=smoothness):
            changes = np.abs(np.diff(np.array(on, dtype=int))).sum()
            return np.where(on, scores, 1 - scores).sum() - smoothness * changes

        best = max(product([False, True], repeat=7), key=value)
        assert value(active_frames(scores, smoothness=smoothness)) == pytest.approx(value(best))


def test_trimming_by_hand():
    scores = np.array([0.1] * 10 + [0.9] * 10 + [0.1] * 10 + [0.9] * 3)
    whole = Tube("v", 1, np.arange(1, 34), np.tile(BOX, (33, 1)), float(scores.mean()), scores)
    (part,) = trim_tube(whole, smoothness=3)  # the last 3 frames gain 3 * 0.8, less than the change costs
    assert part.frames.tolist() == list(range(11, 21)) and part.score == pytest.approx(0.9)
    assert [t.frames[0] for t in trim_tube(whole, smoothness=1)] == [11, 31]
    assert trim_tube(tube("v", 1, 1, 5, score=0.4), smoothness=3) == []


def test_the_rules_are_those_of_act_where_it_has_them():
    rules = LinkRules()
    assert (rules.method, rules.link_iou, rules.max_gap, rules.nms_iou, rules.top_k) == ("online", 0.2, 4, 0.3, 10)
    assert (rules.min_score, rules.min_length, rules.tube_nms_iou) == (0.01, 15, 0.3)
    assert (rules.overlap_weight, rules.min_box_score, rules.trim_smoothness) == (1.0, 0.01, None)


HALF, QUARTER = (0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 0.25, 1.0)  # IoU 0.5 exactly


@pytest.mark.parametrize("method", METHODS)
def test_what_is_just_at_a_limit_stays(method):
    alike = detections(*(("v", t, box, 1, s) for t in (1, 2) for box, s in ((HALF, 0.75), (QUARTER, 0.5))))
    for name in ("nms_iou", "tube_nms_iou"):
        limits = {"nms_iou": 1.0, "tube_nms_iou": 1.0, "min_length": 1}
        assert len(link_tubes(alike, LinkRules(method=method, **(limits | {name: 0.5})))) == 2, name
        assert len(link_tubes(alike, LinkRules(method=method, **(limits | {name: 0.49})))) == 1, name
    one = detections(("v", 1, HALF, 1, 0.5), ("v", 2, HALF, 1, 0.5))
    for limits in ({"min_score": 0.5}, {"min_box_score": 0.5}, {"min_length": 2}):
        assert len(link_tubes(one, LinkRules(method=method, **(SHORT | limits)))) == 1, limits


def test_a_box_of_just_the_least_overlap_is_linked():
    rows = detections(("v", 1, HALF, 1, 0.5), ("v", 2, QUARTER, 1, 0.5))
    assert len(link_tubes(rows, LinkRules(link_iou=0.5, tube_nms_iou=1, **SHORT))) == 1
    assert len(link_tubes(rows, LinkRules(link_iou=0.51, tube_nms_iou=1, **SHORT))) == 2


def test_the_better_tube_is_the_one_of_the_better_mean_not_the_longer_one():
    old, new, between = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.25, 0.0, 0.75, 1.0)
    rows = [("v", t, old, 1, 0.5) for t in (1, 2, 3)] + [("v", 3, new, 1, 0.75), ("v", 4, between, 1, 0.25)]
    found = link_tubes(detections(*rows), LinkRules(tube_nms_iou=1, **SHORT))
    assert sorted((t.boxes[0].tolist(), len(t)) for t in found) == [(list(old), 3), (list(new), 2)]


def test_two_stretches_with_one_frame_between_are_two_tubes():
    scores = np.array([0.9] * 4 + [0.0] + [0.9] * 4)
    whole = Tube("v", 1, np.arange(1, 10), np.tile(BOX, (9, 1)), 0.8, scores)
    assert [t.frames.tolist() for t in trim_tube(whole, smoothness=0.25)] == [[1, 2, 3, 4], [6, 7, 8, 9]]


def test_errors():
    with pytest.raises(ValueError, match="method must be one of online, viterbi, got 'greedy'"):
        LinkRules(method="greedy")
    with pytest.raises(ValueError, match="finite scores"):
        link_tubes(detections(("v", 1, BOX, 1, float("nan"))), LinkRules())


@pytest.mark.parametrize("method", METHODS)
def test_perfect_boxes_of_jhmdb_link_to_perfect_tubes(shared_dir, method):
    truth = read_tubes(shared_dir / "data" / "jhmdb" / "JHMDB-GT.pkl.gz")
    scored = [Tube(t.video, t.label, t.frames, t.boxes, 0.9, np.full(len(t), 0.9)) for t in truth.tubes]
    tubes = link_tubes(table_of_tubes(scored, truth.videos), LinkRules(method=method, trim_smoothness=3))
    result = video_map(truth.tubes, tubes, truth.label_map, videos=truth.videos)
    assert set(result.summary().values()) == {1.0}
