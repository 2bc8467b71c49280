"""The loss of the two-stage baseline: multi-label actions of given boxes, nothing to match and nothing to find."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from slowfast.layers.precision import full_precision
from slowfast.losses.set_criterion import ElementLoss
from slowfast.losses.terms import binary_cross_entropy
from slowfast.structures.clip import Targets
from slowfast.structures.roi import RoIPredictions


class RoICriterion(nn.Module):
    """action: multi-label loss of every given box, mean over classes, per person of the global batch.

    Called as SetCriterion is. The boxes that were given are the people of `targets`, row by row.
    """

    def __init__(self, *, weight: float = 1.0, action_loss: ElementLoss = binary_cross_entropy) -> None:
        super().__init__()
        self.weight, self.action_loss = float(weight), action_loss
        self.unmatched_people = 0  # every given box is its own target

    def forward(
        self,
        predictions: RoIPredictions,
        targets: Targets,
        *,
        num_people: float,
        num_clips: float,
        clip_names: Sequence[str] | None = None,
    ) -> dict[str, Tensor]:
        """{"action": float32 scalar}; num_people and num_clips are of the global batch, divided by the processes."""
        logits = predictions.action_logits.float()
        if len(logits) != len(targets.actions):
            raise ValueError(f"{len(logits)} boxes were scored, but the targets have {len(targets.actions)} people")
        with full_precision(logits.device):
            loss = self.action_loss(logits, targets.actions.float()).mean(-1).sum() / (num_people or num_clips or 1.0)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the action loss is {loss.item()}; clips: {', '.join(clip_names or ())}")
        return {"action": loss}

    def weighted_sum(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The scalar to minimise."""
        return self.weight * losses["action"]
