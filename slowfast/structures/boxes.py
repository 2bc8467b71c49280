"""Box formats and overlaps. Every function names its format; all maths runs in the dtype it is given.

xyxy   = (x1, y1, x2, y2), corners, x2 >= x1 and y2 >= y1
cxcywh = (centre x, centre y, width, height)
"""

import torch
from torch import Tensor


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """(..., 4) cxcywh -> (..., 4) xyxy in the same unit."""
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """(..., 4) xyxy -> (..., 4) cxcywh in the same unit."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def box_area(boxes: Tensor) -> Tensor:
    """(..., 4) xyxy -> (...) area, in the unit squared; an inverted box has area 0."""
    size = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0)
    return size[..., 0] * size[..., 1]


def iou_and_union(boxes_a: Tensor, boxes_b: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union, and the union area, of boxes paired by broadcasting.

    boxes_a (..., 4) and boxes_b (..., 4): xyxy in any one unit -> two tensors of the broadcast shape (...).
    Two boxes of zero area have IoU 0.
    """
    low = torch.maximum(boxes_a[..., :2], boxes_b[..., :2])
    high = torch.minimum(boxes_a[..., 2:], boxes_b[..., 2:])
    size = (high - low).clamp(min=0)
    intersection = size[..., 0] * size[..., 1]
    union = box_area(boxes_a) + box_area(boxes_b) - intersection
    return intersection / union.clamp(min=torch.finfo(union.dtype).tiny), union


def generalized_iou(boxes_a: Tensor, boxes_b: Tensor) -> Tensor:
    """Generalized IoU of boxes paired by broadcasting (Rezatofighi et al. 2019, algorithm 1).

    boxes_a (..., 4) and boxes_b (..., 4): xyxy in any one unit -> (...) in [-1, 1].
    """
    iou, union = iou_and_union(boxes_a, boxes_b)
    low = torch.minimum(boxes_a[..., :2], boxes_b[..., :2])
    high = torch.maximum(boxes_a[..., 2:], boxes_b[..., 2:])
    hull = box_area(torch.cat([low, high], dim=-1)).clamp(min=torch.finfo(union.dtype).tiny)
    return iou - (hull - union) / hull
