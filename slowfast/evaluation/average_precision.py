"""Precision and recall, computed here and nowhere else: curves, average precisions, precision at a threshold. Numpy only.

From a curve to one number there are three rules in this field, by name in AP_RULES:

    voc_all_point  area under the interpolated curve (VOC 2010 and later; AVA)
    voc_11_point   mean of the interpolated precision at recall 0, 0.1, ..., 1 (VOC 2007)
    trapezoid      area under the raw curve, its points joined by straight lines from precision 1 at recall 0 (ACT, MOC)

All take the same two bags of scores:
    scores:          (D,) no nan, the scores of all detections of one class, in ascending order
    hit_scores:      (H,) in any order, the scores of those detections that found something; part of `scores`
    num_groundtruth: how many things there are to be found; 0 gives nan

Detections of equal score enter the curve together, as one step (`curve_steps` decides this for everything): no order
among them is better founded than another, and so a result depends on the scores alone and never on the order of rows.
(ACT takes them one by one, in the order of its files; on real detections where the 34 frames of a clip share a score,
its mean over classes is 0.0007 above ours.)
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

CURVE_POINTS = 60  # of a drawn curve, at most

ApRule = Callable[[np.ndarray, np.ndarray, int], float]


class CurveSteps(NamedTuple):
    """The S steps of a curve that find something, from the highest score down.

    hits, detections:               (S,) int, from the first to the end of each step
    hits_before, detections_before: (S,) int, the same just before each step
    step_of_hit:                    (H,) int, the step with which each hit enters, in the order of `hit_scores`
    """

    hits: np.ndarray
    detections: np.ndarray
    hits_before: np.ndarray
    detections_before: np.ndarray
    step_of_hit: np.ndarray

    @property
    def precision(self) -> np.ndarray:
        """(S,) in (0, 1], at the end of each step."""
        return self.hits / self.detections

    @property
    def best_precision(self) -> np.ndarray:
        """(S,) the interpolated precision: the best at the recall of the step or any higher one."""
        return np.maximum.accumulate(self.precision[::-1])[::-1]


def curve_steps(scores: np.ndarray, hit_scores: np.ndarray) -> CurveSteps:
    """How hits and detections grow as the score falls. The one place that says how tied scores enter: together."""
    thresholds, rising_step, hits_at = np.unique(hit_scores, return_inverse=True, return_counts=True)
    thresholds, hits_at = thresholds[::-1], hits_at[::-1]
    hits = np.cumsum(hits_at)
    return CurveSteps(
        hits=hits,
        detections=len(scores) - np.searchsorted(scores, thresholds, side="left"),
        hits_before=hits - hits_at,
        detections_before=len(scores) - np.searchsorted(scores, thresholds, side="right"),
        step_of_hit=len(thresholds) - 1 - rising_step.ravel(),
    )


def average_precision(scores: np.ndarray, hit_scores: np.ndarray, num_groundtruth: int) -> float:
    """Area under the interpolated curve, over all points (VOC 2010 and later)."""
    if num_groundtruth == 0:
        return float("nan")
    if len(hit_scores) == 0:
        return 0.0
    steps = curve_steps(scores, hit_scores)
    recall_step = (steps.hits - steps.hits_before) / num_groundtruth
    return float(np.sum(recall_step * steps.best_precision))


def voc_11_point(scores: np.ndarray, hit_scores: np.ndarray, num_groundtruth: int) -> float:
    """Mean of the best precision at any recall >= 0, 0.1, ..., 1; 0 where that recall is not reached."""
    if num_groundtruth == 0:
        return float("nan")
    if len(hit_scores) == 0:
        return 0.0
    steps = curve_steps(scores, hit_scores)
    best = np.append(steps.best_precision, 0.0)
    # In whole numbers: 3 of 10 is a recall of 0.3, which 3 * 0.1 is not.
    first = np.searchsorted(steps.hits * 10, np.arange(11) * num_groundtruth, side="left")
    return float(best[first].mean())


def trapezoid(scores: np.ndarray, hit_scores: np.ndarray, num_groundtruth: int) -> float:
    """Area under straight lines through the points (recall, precision) of all scores, from (0, 1) on."""
    if num_groundtruth == 0:
        return float("nan")
    if len(hit_scores) == 0:
        return 0.0
    steps = curve_steps(scores, hit_scores)
    any_before = steps.detections_before > 0
    before = np.divide(steps.hits_before, steps.detections_before, out=np.ones(len(steps.hits)), where=any_before)
    return float(np.sum((steps.hits - steps.hits_before) * (steps.precision + before)) / (2 * num_groundtruth))


AP_RULES: dict[str, ApRule] = {
    "voc_all_point": average_precision,
    "voc_11_point": voc_11_point,
    "trapezoid": trapezoid,
}


def precision_recall(scores: np.ndarray, hit_scores: np.ndarray, num_groundtruth: int) -> tuple[np.ndarray, np.ndarray]:
    """((k,) recall, rising, (k,) interpolated precision) for a plot: the first step, the last and some between.

    k <= CURVE_POINTS; 0 where nothing was found or there was nothing to find.
    """
    if num_groundtruth == 0 or len(hit_scores) == 0:
        return np.zeros(0), np.zeros(0)
    steps = curve_steps(scores, hit_scores)
    recall, precision = steps.hits / num_groundtruth, steps.best_precision
    shown = np.unique(np.linspace(0, len(recall) - 1, CURVE_POINTS).round().astype(int))
    return recall[shown], precision[shown]


def mean_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """(V,) scores in any order and (V,) bool -> the mean over the positives of the precision at their score.

    nan without positives. This is the AP of multi-label classification; nothing is interpolated.
    """
    if not positive.any():
        return float("nan")
    steps = curve_steps(np.sort(scores), scores[positive])
    return float(steps.precision[steps.step_of_hit].mean())


def precision_and_recall(hits: int, detections: int, num_groundtruth: int) -> tuple[float, float]:
    """At one threshold: the share of the detections that hit, and the share found; nan for a share of nothing."""
    precision = hits / detections if detections else float("nan")
    recall = hits / num_groundtruth if num_groundtruth else float("nan")
    return precision, recall
