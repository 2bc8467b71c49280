"""Where float32 is kept under autocast, and what autocast makes of the rest."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(device: torch.device) -> AbstractContextManager:
    """Turns autocast off inside the block; does nothing on meta, which has none (to ask PyTorch 2.6 breaks a graph)."""
    if device.type == "meta":
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def autocast_type(device: torch.device) -> torch.dtype | None:
    """The type that autocast gives matrix products on this kind of device; None where it is off."""
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        return None
    return torch.get_autocast_dtype(device.type)


def unrounded_sum(a: Tensor, b: Tensor) -> Tensor:
    """a + b; without gradients in float32 where both are of autocast's shorter type. A compiler makes it anew where it is read,
    so that it takes no more bytes than the rounded sum would; for gradients it would be kept in float32.
    """
    rounds = autocast_type(a.device) == torch.promote_types(a.dtype, b.dtype)
    return a.float() + b if rounds and not torch.is_grad_enabled() else a + b
