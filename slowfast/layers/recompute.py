"""Forget what is large and cheap to compute again: less memory in training for a few percent of time."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# Elements of the input below which the bookkeeping costs more than the memory is worth.
_SMALLEST = 2**19
Result = TypeVar("Result", Tensor, tuple[Tensor, Tensor])
_whole_block = ContextVar("whole_block", default=False)


def recomputed(function: Callable[[Tensor], Result], x: Tensor, *, random: bool = False) -> Result:
    """function(x), whose intermediate results are made again in the backward pass instead of being kept.

    The second run stops where the last of them is made, so a costly last step of `function` runs once only.
    A compiler decides for itself what to keep.

    random: `function` draws random numbers, which must be the same ones again
    """
    if not torch.is_grad_enabled() or not x.requires_grad or x.numel() < _SMALLEST or torch.compiler.is_compiling():
        return function(x)
    if inside_recomputed_block():
        return function(x)
    return checkpoint(function, x, use_reentrant=False, preserve_rng_state=random)


def recomputed_block(block: Callable, *arguments: object) -> object:
    """block(*arguments), of which nothing is kept: all of it is made again in the backward pass (MODEL.ACT_CHECKPOINT).

    Its parts keep what they need for the moment in between: what `recomputed` forgets would be made a third time.
    """

    if torch.compiler.is_compiling():
        return checkpoint(block, *arguments, use_reentrant=False)

    def run(*arguments: object) -> object:
        before = _whole_block.set(True)
        try:
            return block(*arguments)
        finally:
            _whole_block.reset(before)

    return checkpoint(run, *arguments, use_reentrant=False)


def inside_recomputed_block() -> bool:
    return _whole_block.get()
