"""Encoded: what a backbone hands to the heads."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Encoded:
    """What a backbone makes of B clips.

    tokens:      (B, T', H', W', C) after the last norm
    class_token: (B, C) after the last norm, or None
    blocks:      block index -> (B, T', H', W', C') as that block left them, without a norm
    """

    tokens: Tensor
    class_token: Tensor | None
    blocks: dict[int, Tensor]
