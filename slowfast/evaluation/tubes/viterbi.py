"""The two dynamic programs of tubes: the best path through boxes, and when along it an action goes on. Numpy only."""

from collections.abc import Sequence

import numpy as np

from slowfast.evaluation.frames.matching import box_iou


def best_path(boxes: Sequence[np.ndarray], scores: Sequence[np.ndarray], *, overlap_weight: float) -> list[int]:
    """Which box to take on each of T frames (Gkioxari and Malik 2015).

    boxes[t] (n_t, 4) xyxy and scores[t] (n_t,), n_t >= 1. Maximises the sum over successive frames of
    score + score' + overlap_weight * IoU, and of the scores of the first and of the last box once more. The paper's sum
    counts these two half as much as all others; here every box counts alike, twice, and a video played backwards has the
    same path. Of equal paths the one with the lower indices from the end on.
    """
    best, came_from = scores[0].astype(np.float64), []
    for t in range(1, len(boxes)):
        link = scores[t - 1][:, None] + scores[t][None] + overlap_weight * pairwise_iou(boxes[t - 1], boxes[t])
        total = best[:, None] + link
        came_from.append(total.argmax(axis=0))
        best = total.max(axis=0)
    path = [int((best + scores[-1]).argmax())]
    for previous in reversed(came_from):
        path.append(int(previous[path[-1]]))
    return path[::-1]


def pairwise_iou(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """(n, 4) and (m, 4) xyxy -> (n, m) IoU."""
    n, m = len(boxes_a), len(boxes_b)
    paired = np.repeat(boxes_a, m, axis=0).astype(np.float64), np.tile(boxes_b, (n, 1)).astype(np.float64)
    return box_iou(*paired).reshape(n, m)


def active_frames(scores: np.ndarray, *, smoothness: float) -> np.ndarray:
    """(T,) probabilities of the action -> (T,) bool: when it goes on (temporal trimming, Saha et al. 2016).

    Maximises the sum of p where it is on and 1 - p where it is off, minus `smoothness` for every change; of equal
    labellings the one that is off on the last frame, then, going back from there, the one that keeps its state.
    """
    scores = np.asarray(scores, dtype=np.float64)
    gain = np.stack([1 - scores, scores], axis=1)
    best, came_from = gain[0], np.zeros((len(scores), 2), dtype=np.int64)
    for t in range(1, len(scores)):
        switch = best[::-1] - smoothness
        came_from[t] = np.where(switch > best, [1, 0], [0, 1])
        best = np.maximum(best, switch) + gain[t]
    state = int(best[1] > best[0])
    labels = np.empty(len(scores), dtype=bool)
    for t in range(len(scores) - 1, -1, -1):
        labels[t] = state
        state = int(came_from[t, state])
    return labels
