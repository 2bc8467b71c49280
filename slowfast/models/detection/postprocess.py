"""From Predictions to Detections: scores, threshold, optional NMS, and boxes back in the original frame."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slowfast.structures.clip import ClipMeta
from slowfast.structures.outputs.predictions import Candidates, Detections, Predictions


class PostProcess(nn.Module):
    """Keep the tokens that are actors and score their actions: score = sigmoid(action) * p_actor.

    actor_threshold: keep tokens with p_actor >= this
    nms_iou:         drop a box that overlaps a likelier one by more than this; None for no NMS, as set prediction
                     needs none
    max_people:      keep at most this many likeliest people of a clip; None for all
    """

    def __init__(self, *, actor_threshold: float, nms_iou: float | None = None, max_people: int | None = None) -> None:
        super().__init__()
        self.actor_threshold, self.nms_iou, self.max_people = actor_threshold, nms_iou, max_people

    @torch.no_grad()
    def forward(self, predictions: Predictions | Candidates, meta: Sequence[ClipMeta]) -> Detections:
        """What a model gave of B clips, and their B metas -> Detections on the CPU, likeliest people first within a clip."""
        found = predictions if isinstance(predictions, Candidates) else predictions.candidates
        # One copy to the host for the whole batch, which waits for the device once; what follows is small.
        together = torch.cat([found.actor[..., None], found.boxes, found.scores], dim=-1).cpu()
        actor, boxes, scores = together[..., 0], together[..., 1:5], together[..., 5:]
        kept = [self._keep(actor[i], boxes[i]) for i in range(len(actor))]
        clip_index = torch.cat([torch.full((len(k),), i, dtype=torch.int64) for i, k in enumerate(kept)])
        token = torch.cat(kept)
        actor, scores, boxes = actor[clip_index, token], scores[clip_index, token], boxes[clip_index, token]
        boxes = to_original_frame(boxes, clip_index, meta)
        return Detections(clip_index, boxes, actor, scores, token)

    def _keep(self, actor: Tensor, boxes: Tensor) -> Tensor:
        """Indices of the tokens of one clip that stay: actor (N,), boxes (N, 4) xyxy -> (n,), likeliest first."""
        order = actor.argsort(descending=True, stable=True)
        order = order[actor[order] >= self.actor_threshold]
        if self.nms_iou is not None and len(order):
            from torchvision.ops import nms  # two seconds, and set prediction needs none

            order = order[nms(boxes[order], actor[order], self.nms_iou)]
        return order[: self.max_people]


def to_original_frame(boxes: Tensor, clip_index: Tensor, meta: Sequence[ClipMeta]) -> Tensor:
    """(D, 4) xyxy in [0, 1] of the input, (D,) clip of each -> xyxy in [0, 1] of the original frame, clipped."""
    region = torch.tensor([m.region for m in meta], dtype=torch.float32).view(-1, 4)[clip_index]
    origin, size = region[:, :2].repeat(1, 2), (region[:, 2:] - region[:, :2]).repeat(1, 2)
    boxes = (origin + boxes * size).clamp(0, 1)
    # A mirrored clip has a region with x1 > x2, which swaps the corners.
    return torch.cat([torch.minimum(boxes[:, :2], boxes[:, 2:]), torch.maximum(boxes[:, :2], boxes[:, 2:])], dim=1)
