"""The loss of a classifier: cross entropy with one label or with soft ones, or one yes or no per class."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slowfast.layers.precision import full_precision
from slowfast.losses.criterion import Losses
from slowfast.losses.terms import binary_cross_entropy
from slowfast.structures.targets import Counts, Labels


class LabelCriterion(nn.Module):
    """label: per clip of the step, -sum over classes of target x log softmax; targets (B,) are one-hot, (B, C) soft.

    multi_label: instead the mean over classes of the binary cross entropy, for targets (B, C) of 0 and 1
    """

    def __init__(self, *, multi_label: bool = False) -> None:
        super().__init__()
        self.multi_label = multi_label

    def forward(self, logits: Tensor, targets: Labels, *, per: Counts, names: Sequence[str] = ()) -> Losses:
        """logits (B, C). Raises FloatingPointError naming the clips when the loss is not finite."""
        logits, values = logits.float(), targets.values
        with full_precision(logits.device):
            if self.multi_label:
                each = binary_cross_entropy(logits, values.float()).mean(-1)
            else:
                each = F.cross_entropy(logits, values, reduction="none")
            loss = each.sum() / (per.clips or 1.0)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()}; clips: {', '.join(names)}")
        return Losses({"label": loss}, loss)
