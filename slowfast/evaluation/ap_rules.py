"""From a precision-recall curve to one number: the three rules of the field, by name. Numpy only.

    voc_all_point  area under the interpolated curve (VOC 2010 and later; AVA)
    voc_11_point   mean of the interpolated precision at recall 0, 0.1, ..., 1 (VOC 2007)
    trapezoid      area under the raw curve, its points joined by straight lines from precision 1 at recall 0 (ACT, MOC)

All take what `average_precision` takes, and detections of equal score enter the curve together. (ACT takes them one by
one, in the order of its files; on real detections where the 34 frames of a clip share a score, its mean over classes
is 0.0007 above ours.)
"""

from collections.abc import Callable

import numpy as np

from slowfast.evaluation.average_precision import average_precision

ApRule = Callable[[np.ndarray, np.ndarray, int], float]


def _curve(scores: np.ndarray, hit_scores: np.ndarray) -> tuple[np.ndarray, ...]:
    """(hits, detections) at the score of each step that finds something, and (hits, detections) just before it."""
    thresholds, hits_at = np.unique(hit_scores, return_counts=True)
    thresholds, hits_at = thresholds[::-1], hits_at[::-1]
    hits = np.cumsum(hits_at)
    detections = len(scores) - np.searchsorted(scores, thresholds, side="left")
    return hits, detections, hits - hits_at, len(scores) - np.searchsorted(scores, thresholds, side="right")


def voc_11_point(scores: np.ndarray, hit_scores: np.ndarray, num_groundtruth: int) -> float:
    """Mean of the best precision at any recall >= 0, 0.1, ..., 1; 0 where that recall is not reached."""
    if num_groundtruth == 0:
        return float("nan")
    if len(hit_scores) == 0:
        return 0.0
    hits, detections, *_ = _curve(scores, hit_scores)
    best = np.append(np.maximum.accumulate((hits / detections)[::-1])[::-1], 0.0)
    # In whole numbers: 3 of 10 is a recall of 0.3, which 3 * 0.1 is not.
    first = np.searchsorted(hits * 10, np.arange(11) * num_groundtruth, side="left")
    return float(best[first].mean())


def trapezoid(scores: np.ndarray, hit_scores: np.ndarray, num_groundtruth: int) -> float:
    """Area under straight lines through the points (recall, precision) of all scores, from (0, 1) on."""
    if num_groundtruth == 0:
        return float("nan")
    if len(hit_scores) == 0:
        return 0.0
    hits, detections, hits_before, detections_before = _curve(scores, hit_scores)
    before = np.divide(hits_before, detections_before, out=np.ones(len(hits)), where=detections_before > 0)
    return float(np.sum((hits - hits_before) * (hits / detections + before)) / (2 * num_groundtruth))


AP_RULES: dict[str, ApRule] = {
    "voc_all_point": average_precision,
    "voc_11_point": voc_11_point,
    "trapezoid": trapezoid,
}
