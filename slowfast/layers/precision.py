"""Where float32 is kept under autocast."""

from contextlib import AbstractContextManager, nullcontext

import torch


def full_precision(device: torch.device) -> AbstractContextManager:
    """Turns autocast off inside the block; does nothing on meta, which has none (to ask PyTorch 2.6 breaks a graph)."""
    if device.type == "meta":
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
