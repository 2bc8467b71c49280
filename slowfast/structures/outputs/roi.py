"""What goes into the two-stage model beside the clips, and what comes out."""

from dataclasses import dataclass

import torch
from torch import Tensor

from slowfast.structures.boxes import cxcywh_to_xyxy
from slowfast.structures.targets import People


@dataclass(frozen=True)
class RoIPredictions:
    """Actions of K given boxes.

    boxes:         (K, 5) float32, index of the clip in its batch, then xyxy in pixels of the input
    action_logits: (K, C) multi-label sigmoid logits, in label-map index order
    input_size:    (height, width) of the input in pixels
    """

    boxes: Tensor
    action_logits: Tensor
    input_size: tuple[int, int]


def regions_of_people(targets: People, input_size: tuple[int, int]) -> Tensor:
    """(K, 5) float32 for the two-stage model: clip index and xyxy in pixels of a (height, width) input, per person."""
    height, width = input_size
    x1, y1, x2, y2 = cxcywh_to_xyxy(targets.boxes.float()).unbind(1)
    return torch.stack([targets.clip_index.float(), x1 * width, y1 * height, x2 * width, y2 * height], dim=1)
