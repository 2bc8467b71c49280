"""Loss terms as pure functions on logits; all of them run in float32."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Focusing factors start here: at 0 a power below 1 has an infinite slope, and its product with a loss of 0 is NaN.
_LEAST = 1e-6


def binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Element-wise cross entropy of sigmoid(logits) against targets in [0, 1]; same shape."""
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def focal_loss(logits: Tensor, targets: Tensor, *, alpha: float, gamma: float) -> Tensor:
    """Element-wise focal loss (Lin et al. 2017, equation 5): -alpha_t (1 - p_t)^gamma log p_t; same shape.

    alpha weighs the positives and 1 - alpha the negatives; alpha < 0 leaves both at 1.
    """
    entropy = binary_cross_entropy(logits, targets)
    p = logits.sigmoid()
    missed = 1 - (p * targets + (1 - p) * (1 - targets))
    loss = entropy * missed.clamp(min=_LEAST) ** gamma
    return loss if alpha < 0 else loss * (alpha * targets + (1 - alpha) * (1 - targets))


def asymmetric_loss(logits: Tensor, targets: Tensor, *, gamma_pos: float, gamma_neg: float, clip: float) -> Tensor:
    """Element-wise asymmetric loss for multi-label classes (Ridnik et al. 2021, equations 4 to 7); same shape.

    Negatives are shifted by `clip`, so that easy ones (p <= clip) cost nothing, and focused by gamma_neg.
    """
    p = logits.sigmoid()
    shifted = (p - clip).clamp(min=0)
    positive = -F.logsigmoid(logits) * (1 - p).clamp(min=_LEAST) ** gamma_pos
    negative = -torch.log1p(-shifted.clamp(max=1 - _LEAST)) * shifted.clamp(min=_LEAST) ** gamma_neg
    return targets * positive + (1 - targets) * negative


def action_cost(action_logits: Tensor, clip_index: Tensor, actions: Tensor) -> Tensor:
    """Matching cost of actions: (P, N) mean cross entropy over classes of person p against the candidates of its clip.

    action_logits (B, N, C), clip_index (P,), actions (P, C). Uses BCE(x, y) = softplus(x) - x y to avoid a (P, N, C) loss.
    """
    logits = action_logits[clip_index]
    classes = logits.shape[-1]
    return (F.softplus(logits).sum(-1) - torch.einsum("pnc,pc->pn", logits, actions)) / classes
