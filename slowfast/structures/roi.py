"""RoIPredictions (what the two-stage model returns) and Proposals (the boxes it is given)."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from slowfast.structures.boxes import cxcywh_to_xyxy


@dataclass(frozen=True)
class RoIPredictions:
    """Actions of K given boxes.

    boxes:         (K, 5) float32, index of the clip in its batch, then xyxy in pixels of the input
    action_logits: (K, C) multi-label sigmoid logits, in label-map index order
    """

    boxes: Tensor
    action_logits: Tensor


@dataclass(frozen=True)
class Proposals:
    """The K person boxes given with a batch, clip after clip.

    boxes:     (K, 4) float32 cxcywh in [0, 1] of the input
    scores:    (K,) float32, confidence of the person detector; 1 for annotated boxes
    per_clip:  B counts that sum to K
    """

    boxes: Tensor
    scores: Tensor
    per_clip: tuple[int, ...]

    def __post_init__(self) -> None:
        if sum(self.per_clip) != len(self.boxes) or len(self.boxes) != len(self.scores):
            raise ValueError(
                f"Proposals has {len(self.boxes)} boxes and {len(self.scores)} scores, but the clips count "
                f"{sum(self.per_clip)} ({self.per_clip})"
            )

    @property
    def clip_index(self) -> Tensor:
        """(K,) int64: the clip each box is in."""
        counts = torch.tensor(self.per_clip, dtype=torch.int64, device=self.boxes.device)
        return torch.repeat_interleave(counts, output_size=len(self.boxes))

    def to_rois(self, input_size: tuple[int, int]) -> Tensor:
        """(K, 5) float32 for the two-stage model: clip index, xyxy in pixels of an input of (height, width)."""
        height, width = input_size
        pixels = cxcywh_to_xyxy(self.boxes) * self.boxes.new_tensor([width, height, width, height])
        return torch.cat([self.clip_index[:, None].to(pixels.dtype), pixels], dim=1)

    def to(self, device: torch.device, non_blocking: bool = False) -> "Proposals":
        return replace(
            self,
            boxes=self.boxes.to(device, non_blocking=non_blocking),
            scores=self.scores.to(device, non_blocking=non_blocking),
        )
