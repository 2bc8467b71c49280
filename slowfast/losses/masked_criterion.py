"""The loss of a masked pre-training: the squared error of what was hidden."""

from collections.abc import Sequence

import torch
from torch import nn

from slowfast.layers.precision import full_precision
from slowfast.losses.criterion import Losses
from slowfast.structures.outputs.masked import MaskedPredictions
from slowfast.structures.targets import Counts, Masked


class MaskedCriterion(nn.Module):
    """mse: the squared error of hidden tokens, the mean over their numbers and over the hidden tokens of the whole step.

    With several blocks that predict, terms mse_0, mse_1, ..., and the total is their sum (PySlowFast's multi_mse).
    A step's hidden tokens are those of all its micro-batches on all processes, so a clip of which more is hidden weighs
    more, however the step is divided.
    """

    def forward(
        self, predictions: MaskedPredictions, targets: Masked, *, per: Counts, names: Sequence[str] = ()
    ) -> Losses:
        """Raises FloatingPointError naming the clips when the loss is not finite."""
        found = zip(predictions.values, predictions.wanted, predictions.hidden, strict=True)
        errors = []
        for values, wanted, hidden in found:
            with full_precision(values.device):
                each = (values.float() - wanted).square().mean(-1)
                tokens_of_cell = hidden.numel() / targets.cells.numel()
                errors.append((each * hidden).sum() / ((per.masked or 1.0) * tokens_of_cell))
        total = torch.stack(errors).sum()
        if not torch.isfinite(total):
            raise FloatingPointError(f"the loss is {total.item()}; clips: {', '.join(names)}")
        if len(errors) == 1:
            return Losses({"mse": errors[0]}, total)
        return Losses({f"mse_{number}": error for number, error in enumerate(errors)}, total)
