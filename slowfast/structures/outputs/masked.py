"""MaskedPredictions: what a model says about clips of which a part is hidden, and what it should say."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class MaskedPredictions:
    """For B clips, and each of D blocks that predict, with (T, H, W) tokens and K numbers a token.

    values: D tensors (B, T, H, W, K), what the model predicts for every token, hidden or not
    wanted: D tensors (B, T, H, W, K) float32, what it should predict
    hidden: D tensors (B, T, H, W) bool, the tokens that count: those whose input was hidden
    """

    values: tuple[Tensor, ...]
    wanted: tuple[Tensor, ...]
    hidden: tuple[Tensor, ...]
