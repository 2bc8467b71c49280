"""Precision and recall, computed here and nowhere else: curves, average precisions, precision at a threshold. Numpy only.

From a curve to one number there are three rules in this field, by name in AP_RULES:

    voc_all_point  area under the interpolated curve (VOC 2010 and later; AVA)
    voc_11_point   mean of the interpolated precision at recall 0, 0.1, ..., 1 (VOC 2007)
    trapezoid      area under the raw curve, its points joined by straight lines from precision 1 at recall 0 (ACT, MOC)

All take the same two bags of scores:
    scores:          (D,) no nan, the scores of all detections of one class, in ascending order
    hit_scores:      (H,) in any order, the scores of those detections that found something; part of `scores`
    num_groundtruth: how many things there are to be found; 0 gives nan

Detections of equal score have no order of their own, and a curve walked row by row depends on the one they happen to be
in. So every number here is the mean over all orders of the tied rows, each as likely: it depends on the scores alone,
never on the order of rows, and where nothing ties it is the plain number. `tied_scores` has the formulas: exact for
the trapezoid and for the mean precision, exact or within 1e-3 (proven; measured 1e-4) for the interpolated rules.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from slowfast.evaluation.tied_scores import interpolated_precision, summed_precision, summed_precision_before

CURVE_POINTS = 60  # of a drawn curve, at most

ApRule = Callable[[np.ndarray, np.ndarray, int], float]


class CurveSteps(NamedTuple):
    """The S different scores at which something is found, from the highest down; all (S,) int.

    hits_before, detections_before: how many there are of higher score
    hits, detections:               how many there are of this score
    """

    hits_before: np.ndarray
    detections_before: np.ndarray
    hits: np.ndarray
    detections: np.ndarray


def curve_steps(scores: np.ndarray, hit_scores: np.ndarray) -> CurveSteps:
    """How hits and detections grow as the score falls. Every number starts here, so ties are treated in one place."""
    thresholds, hits = np.unique(hit_scores, return_counts=True)
    thresholds, hits = thresholds[::-1], hits[::-1]
    before = len(scores) - np.searchsorted(scores, thresholds, side="right")
    return CurveSteps(
        hits_before=np.cumsum(hits) - hits,
        detections_before=before,
        hits=hits,
        detections=len(scores) - np.searchsorted(scores, thresholds, side="left") - before,
    )


def average_precision(scores: np.ndarray, hit_scores: np.ndarray, num_groundtruth: int) -> float:
    """Area under the interpolated curve, over all points (VOC 2010 and later)."""
    if num_groundtruth == 0:
        return float("nan")
    if len(hit_scores) == 0:
        return 0.0
    return float(interpolated_precision(*curve_steps(scores, hit_scores)).sum() / num_groundtruth)


def voc_11_point(scores: np.ndarray, hit_scores: np.ndarray, num_groundtruth: int) -> float:
    """Mean of the best precision at any recall >= 0, 0.1, ..., 1; 0 where that recall is not reached."""
    if num_groundtruth == 0:
        return float("nan")
    if len(hit_scores) == 0:
        return 0.0
    best = np.append(interpolated_precision(*curve_steps(scores, hit_scores)), 0.0)
    # In whole numbers: 3 of 10 is a recall of 0.3, which 3 * 0.1 is not.
    first = np.searchsorted(np.arange(1, len(best)) * 10, np.arange(11) * num_groundtruth, side="left")
    return float(best[first].mean())


def trapezoid(scores: np.ndarray, hit_scores: np.ndarray, num_groundtruth: int) -> float:
    """Area under straight lines through the points (recall, precision) of all detections, from (0, 1) on."""
    if num_groundtruth == 0:
        return float("nan")
    if len(hit_scores) == 0:
        return 0.0
    steps = curve_steps(scores, hit_scores)
    return float((summed_precision(*steps) + summed_precision_before(*steps)).sum() / (2 * num_groundtruth))


AP_RULES: dict[str, ApRule] = {
    "voc_all_point": average_precision,
    "voc_11_point": voc_11_point,
    "trapezoid": trapezoid,
}


def precision_recall(scores: np.ndarray, hit_scores: np.ndarray, num_groundtruth: int) -> tuple[np.ndarray, np.ndarray]:
    """((k,) recall, rising, (k,) interpolated precision) for a plot: the first hit, the last and some between.

    k <= CURVE_POINTS; 0 where nothing was found or there was nothing to find.
    """
    if num_groundtruth == 0 or len(hit_scores) == 0:
        return np.zeros(0), np.zeros(0)
    precision = interpolated_precision(*curve_steps(scores, hit_scores))
    shown = np.unique(np.linspace(0, len(precision) - 1, CURVE_POINTS).round().astype(int))
    return (shown + 1) / num_groundtruth, precision[shown]


def mean_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """(V,) scores in any order and (V,) bool -> the mean over the positives of the precision at each.

    nan without positives. This is the AP of multi-label classification; nothing is interpolated. Without ties it is
    scikit-learn's `average_precision_score`, which takes tied scores as one step.
    """
    if not positive.any():
        return float("nan")
    return float(summed_precision(*curve_steps(np.sort(scores), scores[positive])).sum() / np.count_nonzero(positive))


def precision_and_recall(hits: int, detections: int, num_groundtruth: int) -> tuple[float, float]:
    """At one threshold: the share of the detections that hit, and the share found; nan for a share of nothing."""
    precision = hits / detections if detections else float("nan")
    recall = hits / num_groundtruth if num_groundtruth else float("nan")
    return precision, recall
