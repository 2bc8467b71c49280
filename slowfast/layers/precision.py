"""Where float32 is kept under autocast, and what autocast makes of the rest."""

from contextlib import AbstractContextManager, nullcontext

import torch


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
