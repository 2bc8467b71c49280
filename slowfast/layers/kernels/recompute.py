"""Forget what is large and cheap to compute again: less memory in training for a few percent of time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from slowfast.layers.kernels import choice

Result = TypeVar("Result", Tensor, tuple[Tensor, ...])


def recomputed(function: Callable[[Tensor], Result], x: Tensor, *, random: bool = False) -> Result:
    """function(x), whose intermediate results are made again in the backward pass instead of being kept.

    The second run stops where the last of them is made, so a costly last step of `function` runs once only.

    random: `function` draws random numbers, which must be the same ones again
    """
    if not choice.recomputes(x):
        return function(x)
    return checkpoint(function, x, use_reentrant=False, preserve_rng_state=random)


@dataclass(frozen=True)
class Normed:
    """norm(tokens), made by whatever reads it, so that no one keeps it for the backward pass. tokens (..., C)."""

    norm: nn.Module
    tokens: Tensor


Tokens = Tensor | Normed  # what the operations of this package take


def normed(norm: nn.Module, x: Tensor) -> Tokens:
    """norm(x): x (..., C) -> the same shape. In training its output is made again in the backward pass, not kept."""
    return Normed(norm, x) if choice.defers_norm() else norm(x)


def through(function: Callable[[Tensor], Result], x: Tokens) -> Result:
    """function(x); where x is the output of a norm, that is made inside and not kept."""
    if isinstance(x, Tensor):
        return function(x)
    norm = x.norm
    return recomputed(lambda tokens: function(norm(tokens)), x.tokens)
