"""Ties in the two dynamic programs, against all paths and labellings. Scores are eighths, so that equal sums are equal."""

from itertools import pairwise, product

import numpy as np
import pytest

from slowfast.evaluation.tubes.viterbi import active_frames, best_path, pairwise_iou

HERE, THERE = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)  # IoU 0 with each other, 1 with themselves


def energy(path, boxes, scores, weight: float) -> float:
    """Every box counts twice."""
    overlaps = [pairwise_iou(boxes[t - 1], boxes[t])[path[t - 1], path[t]] for t in range(1, len(path))]
    return 2 * sum(s[i] for s, i in zip(scores, path, strict=True)) + weight * sum(overlaps)


def test_the_first_and_the_last_box_count_as_any_other():
    """One box at 0.5, and two: at the same place with 0.5, elsewhere with 0.875. An overlap is worth 0.5.

    Staying is worth 2 (0.5 + 0.5) + 0.5 = 2.5, going there 2 (0.5 + 0.875) = 2.75, whichever comes first.
    """
    boxes, scores = [np.array([HERE]), np.array([HERE, THERE])], [np.array([0.5]), np.array([0.5, 0.875])]
    assert best_path(boxes, scores, overlap_weight=0.5) == [0, 1]
    assert best_path(boxes[::-1], scores[::-1], overlap_weight=0.5) == [1, 0]
    assert best_path(boxes, scores, overlap_weight=1) == [0, 0]  # 3 against 2.75
    assert best_path(boxes[::-1], scores[::-1], overlap_weight=1) == [0, 0]


@pytest.mark.parametrize("seed", range(20))
def test_backwards_is_the_same_path(seed):
    rng = np.random.default_rng(seed)
    corners = [rng.random((n, 4)) / 2 for n in (2, 3, 2, 3)]
    boxes = [np.concatenate([c[:, :2], c[:, :2] + 0.1 + c[:, 2:]], axis=1) for c in corners]
    scores = [rng.random(len(c)) for c in corners]
    assert best_path(boxes, scores, overlap_weight=1) == best_path(boxes[::-1], scores[::-1], overlap_weight=1)[::-1]


def test_of_paths_that_are_all_equal_the_first_boxes_are_taken():
    boxes, scores = [np.tile(HERE, (3, 1))] * 4, [np.full(3, 0.5)] * 4
    assert best_path(boxes, scores, overlap_weight=1) == [0, 0, 0, 0]
    assert best_path(boxes[:1], scores[:1], overlap_weight=1) == [0]


def test_a_tie_on_the_way_is_settled_from_the_end_on():
    # Either box of the first frame may lead to the last one: its box 1 (it scores more), and the lower index before it.
    boxes, scores = [np.array([THERE, HERE])] * 2, [np.array([0.5, 0.5]), np.array([0.25, 0.75])]
    assert best_path(boxes, scores, overlap_weight=0) == [0, 1]
    assert best_path(boxes, scores, overlap_weight=1) == [1, 1]
    # Two equal ends, each with its own best way: the lower end decides, though its way has the higher indices.
    boxes = [np.array([THERE, HERE]), np.array([HERE, THERE])]
    assert best_path(boxes, [np.full(2, 0.5)] * 2, overlap_weight=1) == [1, 0]


@pytest.mark.parametrize("seed", range(30))
def test_of_equal_paths_the_one_with_the_lower_indices_from_the_end_on(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 4, 4)
    boxes = [np.array([HERE, THERE])[rng.integers(0, 2, n)] for n in counts]
    scores = [rng.integers(0, 3, n) / 8 for n in counts]
    weight = float(rng.integers(0, 3)) / 8
    paths = sorted(product(*map(range, counts)), key=lambda p: (-energy(p, boxes, scores, weight), p[::-1]))
    assert best_path(boxes, scores, overlap_weight=weight) == list(paths[0])


def value(on, scores, smoothness: float) -> float:
    changes = sum(a != b for a, b in pairwise(on))
    return sum(p if state else 1 - p for p, state in zip(scores, on, strict=True)) - smoothness * changes


@pytest.mark.parametrize(
    ("scores", "smoothness", "on"),
    [
        ([0.5], 1, [0]),
        ([0.5, 0.5, 0.5], 1, [0, 0, 0]),
        ([0.5, 0.5, 0.5], 0, [0, 0, 0]),
        ([0.25, 0.75], 0.5, [0, 0]),  # a change costs what it gains
        ([0.75, 0.25], 0.5, [0, 0]),
        ([0.75, 0.75, 0.25], 0.5, [1, 1, 0]),  # 1.75 changed, 1.25 off and 1.75 on: off at the end
        ([0.25, 1.0, 0.0], 0.5, [0, 0, 0]),
        ([0.25, 1.0, 1.0, 0.0], 0.5, [1, 1, 1, 0]),  # on the way it keeps its state
        ([0.5, 1.0, 0.0], 0, [1, 1, 0]),
    ],
)
def test_ties_of_trimming_by_hand(scores, smoothness, on):
    assert active_frames(np.array(scores), smoothness=smoothness).astype(int).tolist() == on


@pytest.mark.parametrize("seed", range(40))
def test_of_equal_labellings_the_one_that_is_off_at_the_end_and_then_changes_latest(seed):
    rng = np.random.default_rng(seed)
    scores, smoothness = rng.integers(1, 8, 6) / 8, float(rng.integers(0, 5)) / 8

    def rank(on: tuple[int, ...]) -> tuple:
        changes_from_the_end = [a != b for a, b in pairwise(on)][::-1]
        return -value(on, scores, smoothness), on[-1], changes_from_the_end

    expected = min(product([0, 1], repeat=6), key=rank)
    assert active_frames(scores, smoothness=smoothness).astype(int).tolist() == list(expected)
