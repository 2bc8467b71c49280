"""How much two tubes overlap in space and time, and suppression of tubes that repeat a better one. Numpy only."""

from collections.abc import Sequence

import numpy as np

from slowfast.evaluation.frames.matching import box_iou
from slowfast.structures.annotations.tube import Tube


def tube_iou(a: Tube, b: Tube) -> float:
    """Spatio-temporal IoU in [0, 1]: the sum of box IoUs over the common frames, divided by the frames of either.

    For tubes without missing frames this is ACT's: temporal IoU times the mean spatial IoU where both exist.
    """
    if a.frames[0] > b.frames[-1] or b.frames[0] > a.frames[-1]:
        return 0.0
    common, in_a, in_b = np.intersect1d(a.frames, b.frames, assume_unique=True, return_indices=True)
    if len(common) == 0:
        return 0.0
    overlap = box_iou(a.boxes[in_a].astype(np.float64), b.boxes[in_b].astype(np.float64)).sum()
    return float(overlap / (len(a) + len(b) - len(common)))


def tube_nms(tubes: Sequence[Tube], iou_threshold: float) -> list[Tube]:
    """The tubes of one video and class, best first, without those that overlap a better one by more."""
    kept: list[Tube] = []
    for tube in sorted(tubes, key=tube_rank):
        if all(tube_iou(tube, better) <= iou_threshold for better in kept):
            kept.append(tube)
    return kept


def tube_rank(tube: Tube) -> tuple:
    """Sorts tubes by descending score; equal scores by what else tells them apart, never by the order they came in."""
    return (
        -tube.confidence,
        tube.video,
        tube.label,
        int(tube.frames[0]),
        len(tube),
        *tube.boxes[0].tolist(),
        *tube.boxes[-1].tolist(),
    )
