"""The loss of the two-stage baseline: multi-label actions of given boxes, nothing to match and nothing to find."""

from collections.abc import Sequence

import torch
from torch import nn

from slowfast.layers.precision import full_precision
from slowfast.losses.criterion import Losses
from slowfast.losses.set_criterion import ElementLoss
from slowfast.losses.terms import binary_cross_entropy
from slowfast.structures.outputs.roi import RoIPredictions
from slowfast.structures.targets import Counts, People


class RoICriterion(nn.Module):
    """action: multi-label loss of every given box, mean over classes, per person of the global batch.

    Called as SetCriterion is. The boxes that were given are the people of `targets`, row by row.
    """

    def __init__(self, *, weight: float = 1.0, action_loss: ElementLoss = binary_cross_entropy) -> None:
        super().__init__()
        self.weight, self.action_loss = float(weight), action_loss

    def forward(
        self, predictions: RoIPredictions, targets: People, *, per: Counts, names: Sequence[str] = ()
    ) -> Losses:
        logits = predictions.action_logits.float()
        if len(logits) != len(targets):
            raise ValueError(f"{len(logits)} boxes were scored, but the targets have {len(targets)} people")
        with full_precision(logits.device):
            loss = self.action_loss(logits, targets.actions.float()).mean(-1).sum() / (per.people or per.clips or 1.0)
            total = self.weight * loss
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the action loss is {loss.item()}; clips: {', '.join(names)}")
        return Losses({"action": loss}, total)
