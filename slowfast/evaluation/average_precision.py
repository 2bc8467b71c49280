"""Average precision from two bags of scores. Numpy only."""

import numpy as np


def average_precision(scores: np.ndarray, hit_scores: np.ndarray, num_groundtruth: int) -> float:
    """Area under the interpolated precision-recall curve of one class, over all points (VOC 2010 and later).

    scores:          (D,) finite, the scores of all detections of the class, in ascending order
    hit_scores:      (H,) in any order, the scores of those detections that found a ground-truth box; part of `scores`
    num_groundtruth: boxes to be found; 0 gives nan

    Detections of equal score enter the curve together, as one step: no order among them is better founded than
    another, and so the result depends on the scores alone and never on the order of rows. Precision at recall r is the
    best precision at any recall >= r.
    """
    if num_groundtruth == 0:
        return float("nan")
    if len(hit_scores) == 0:
        return 0.0
    thresholds, hits_at = np.unique(hit_scores, return_counts=True)
    thresholds, hits = thresholds[::-1], np.cumsum(hits_at[::-1])
    detections = len(scores) - np.searchsorted(scores, thresholds, side="left")
    precision = np.maximum.accumulate((hits / detections)[::-1])[::-1]
    recall_step = np.diff(hits, prepend=0) / num_groundtruth
    return float(np.sum(recall_step * precision))
