"""Forget what is large and cheap to compute again: less memory in training for a few percent of time."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# Elements of the input below which the bookkeeping costs more than the memory is worth.
_SMALLEST = 2**19
Result = TypeVar("Result", Tensor, tuple[Tensor, Tensor])


def recomputed(function: Callable[[Tensor], Result], x: Tensor, *, random: bool = False) -> Result:
    """function(x), whose intermediate results are made again in the backward pass instead of being kept.

    The second run stops where the last of them is made, so a costly last step of `function` runs once only.
    A compiler decides for itself what to keep.

    random: `function` draws random numbers, which must be the same ones again
    """
    # The compiler is asked about first: a question about sizes would fix them in an exported graph.
    if torch.compiler.is_compiling() or not torch.is_grad_enabled() or not x.requires_grad or x.numel() < _SMALLEST:
        return function(x)
    return checkpoint(function, x, use_reentrant=False, preserve_rng_state=random)
