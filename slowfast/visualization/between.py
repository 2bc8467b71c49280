"""Boxes for the frames between key frames: the detector looks at key frames alone, people move on in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from slowfast.structures.boxes import iou_and_union
from slowfast.visualization.draw import FrameBoxes

SAME_PERSON = 0.1  # IoU of two boxes on neighbouring key frames, at least


@dataclass(frozen=True)
class KeyBoxes:
    """What was found on one key frame. at: its moment, in any unit."""

    at: float
    found: FrameBoxes


def between_key_frames(keys: Sequence[KeyBoxes], moments: np.ndarray, *, reach: float) -> list[FrameBoxes]:
    """What to draw at each of `moments`, (T,) in the unit of the keys.

    keys:  ascending in time, at least one
    reach: how far from a key frame its people are still shown where no other key frame follows

    People of neighbouring key frames are one where their boxes overlap (the pairs with the largest sum of IoUs, each at
    least SAME_PERSON): their box moves in a straight line. Others stay where they are until half way. Names and scores
    are those of the nearer key frame.
    """
    pairs = [_same_people(a.found.boxes, b.found.boxes) for a, b in pairwise(keys)]
    times = np.array([key.at for key in keys])
    return [_at(float(moment), keys, times, pairs, reach) for moment in moments]


def _at(
    moment: float, keys: Sequence[KeyBoxes], times: np.ndarray, pairs: Sequence[dict[int, int]], reach: float
) -> FrameBoxes:
    after = int(np.searchsorted(times, moment, side="left"))
    if after == 0 or after == len(keys):
        key = keys[min(after, len(keys) - 1)]
        return key.found if abs(moment - key.at) <= reach else FrameBoxes(np.zeros((0, 4)), [])
    before = after - 1
    share = (moment - times[before]) / (times[after] - times[before])
    first, second, pair = keys[before].found, keys[after].found, pairs[before]
    boxes, labels = [], []
    for i, j in pair.items():
        boxes.append((1 - share) * first.boxes[i] + share * second.boxes[j])
        labels.append(first.labels[i] if share <= 0.5 else second.labels[j])
    own, partners = (first, set(pair)) if share <= 0.5 else (second, set(pair.values()))
    for i in range(len(own.boxes)):
        if i not in partners:
            boxes.append(own.boxes[i])
            labels.append(own.labels[i])
    return FrameBoxes(np.array(boxes).reshape(-1, 4), labels)


def _same_people(first: np.ndarray, second: np.ndarray) -> dict[int, int]:
    if not len(first) or not len(second):
        return {}
    iou = iou_and_union(torch.as_tensor(first)[:, None], torch.as_tensor(second)[None])[0].numpy()
    rows, columns = linear_sum_assignment(iou, maximize=True)
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if iou[i, j] >= SAME_PERSON}
