"""Tied scores: the mean over all orders, against every order, shuffled rows and an exact walk over probabilities."""

import itertools

import numpy as np
import pytest

from slowfast.evaluation import tied_scores
from slowfast.evaluation.average_precision import AP_RULES, average_precision, mean_precision, precision_recall
from tests.unit.evaluation.frames.reference_frame_map import expected_average_precision

RULES = (*AP_RULES, "mean_precision")


def walked(hit: np.ndarray, boxes: int) -> np.ndarray:
    """(O, N) bool, rows in O orders, best first -> (O, 4) the numbers of RULES."""
    place, found = np.arange(1, hit.shape[1] + 1), np.cumsum(hit, axis=1)
    precision = found / place
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    before = np.where(place > 1, (found - hit) / np.maximum(place - 1, 1), 1)
    reached = [found * 10 >= point * boxes for point in range(11)]
    at_recall = [np.where(there, best, 0).max(axis=1) for there in reached]
    columns = [
        (best * hit).sum(axis=1) / boxes,
        np.mean(at_recall, axis=0),
        ((precision + before) / 2 * hit).sum(axis=1) / boxes,
        (precision * hit).sum(axis=1) / found[:, -1],
    ]
    return np.stack(columns, axis=1)


def measured(score: np.ndarray, hit: np.ndarray, boxes: int) -> list[float]:
    rising = np.sort(score)
    return [*(rule(rising, score[hit], boxes) for rule in AP_RULES.values()), mean_precision(score, hit)]


def case(seed: int, *, rows: int, levels: int, share: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Rows of `levels` different scores; a row of a higher score is more often a hit."""
    rng = np.random.default_rng(seed)
    score = rng.integers(0, levels, rows) / levels
    hit = rng.random(rows) < share * (0.3 + 1.4 * score)
    hit[0] = True
    return score, hit, int(hit.sum() * 1.3)


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_equals_the_mean_over_every_order(seed: int, levels: int) -> None:
    score, hit, boxes = case(seed, rows=7, levels=levels, share=0.5)
    orders = np.array(list(itertools.permutations(range(7))))
    orders = orders[(np.diff(score[orders]) <= 0).all(axis=1)]
    expected = walked(hit[orders], boxes).mean(axis=0)
    np.testing.assert_allclose(measured(score, hit, boxes), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("rows", "levels", "share"), [(3907, 62, 0.1), (900, 3, 0.2), (800, 1, 0.6)])
def test_equals_the_mean_of_shuffled_rows(rows: int, levels: int, share: float) -> None:
    score, hit, boxes = case(3, rows=rows, levels=levels, share=share)
    rng = np.random.default_rng(4)
    values = []
    for _ in range(20):
        orders = np.argsort(-score + 1e-6 * rng.random((50, rows)), axis=1)
        values.append(walked(hit[orders], boxes))
    values = np.concatenate(values)
    mean, error = values.mean(axis=0), values.std(axis=0) / np.sqrt(1000)
    assert (np.abs(np.array(measured(score, hit, boxes)) - mean) < np.maximum(4 * error, 1e-3)).all()
    if levels == 62:
        assert abs(measured(score, hit, boxes)[0] - mean[0]) < 1e-3


@pytest.mark.parametrize(("rows", "levels", "share"), [(60, 1, 0.3), (70, 2, 0.5), (120, 6, 0.7), (220, 40, 0.3)])
def test_equals_an_exact_walk_over_probabilities(rows: int, levels: int, share: float, monkeypatch) -> None:
    score, hit, boxes = case(5, rows=rows, levels=levels, share=share)
    expected = expected_average_precision(list(zip(score.tolist(), hit.tolist(), strict=True)), boxes)
    monkeypatch.setattr(tied_scores, "EXACT_LEVELS", 10**6)
    assert average_precision(np.sort(score), score[hit], boxes) == pytest.approx(expected, abs=1e-12)
    monkeypatch.setattr(tied_scores, "EXACT_LEVELS", 0)
    assert average_precision(np.sort(score), score[hit], boxes) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(("rows", "hits"), [(200, 40), (120, 100), (400, 120)])
def test_many_hits_of_one_score_by_the_ballot_theorem(rows: int, hits: int, monkeypatch) -> None:
    scores, hit_scores = np.zeros(rows), np.zeros(hits)
    monkeypatch.setattr(tied_scores, "BALLOT_SHARE", 0)
    recursion = average_precision(scores, hit_scores, hits)
    monkeypatch.setattr(tied_scores, "BALLOT_SHARE", np.inf)
    # BALLOT_ERROR k / (n - k) (high - low) hits, where high - low is 1 - k / n
    assert abs(average_precision(scores, hit_scores, hits) - recursion) < tied_scores.BALLOT_ERROR / rows


def test_raw_precision_of_many_rows_keeps_its_digits() -> None:
    rows, hits = 200_000, 3000
    place = np.arange(1, rows + 1)
    rate = (hits - 1) / (rows - 1)
    expected = (hits / rows * (1 + (place - 1) * rate) / place).sum()
    none, many, n = np.array([0]), np.array([hits]), np.array([rows])
    assert tied_scores.summed_precision(none, none, many, n)[0] == pytest.approx(expected, rel=1e-12)
    later = (hits / rows * (7 + (place - 1) * rate) / (63 + place - 1)).sum()
    found = tied_scores.summed_precision_before(np.array([7]), np.array([63]), many, n)[0]
    assert found == pytest.approx(later, rel=1e-12)


def test_rows_that_are_all_hits_need_no_order() -> None:
    scores = np.array([0.1, 0.5, 0.5, 0.5, 0.9])
    assert average_precision(scores, np.full(3, 0.5), 3) == 3 / 4
    recall, precision = precision_recall(scores, np.full(3, 0.5), 3)
    assert recall.tolist() == pytest.approx([1 / 3, 2 / 3, 1]) and precision.tolist() == [3 / 4] * 3


def test_nothing_is_computed_without_ties(monkeypatch) -> None:
    monkeypatch.setattr(tied_scores, "_edges", None)
    score, hit, boxes = case(6, rows=500, levels=1, share=0.3)
    score = np.random.default_rng(0).permutation(500) / 500
    expected = walked(hit[None, np.argsort(-score)], boxes)[0]
    np.testing.assert_allclose(measured(score, hit, boxes), expected, rtol=0, atol=1e-12)


def test_rounded_scores_measure_what_the_full_ones_do() -> None:
    """Before: 0.538 fell to 0.532 with two digits, because each score entered as one step."""
    rng = np.random.default_rng(8)
    hit = rng.random(4000) < 0.25
    score = np.where(hit, rng.beta(3, 3, 4000), rng.beta(1, 4, 4000))
    full, rounded = (measured(s, hit, int(hit.sum())) for s in (score, score.round(2)))
    np.testing.assert_allclose(rounded, full, rtol=0, atol=4e-3)
