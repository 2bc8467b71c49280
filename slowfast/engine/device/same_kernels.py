"""All processes of a run compute its depthwise convolutions by the same kernels (MODEL.DEPTHWISE)."""

import torch
from torch import nn

from slowfast.engine.device.precision import AUTOCAST_TYPES, Precision
from slowfast.layers import kernels
from slowfast.utils.processes import distributed


def agree_on_kernels(model: nn.Module, device: torch.device, precision: Precision) -> None:
    """Every process compares the kernels that `model` will meet with float64; where one of them fails all take PyTorch's.

    Raises ValueError on all processes where MODEL.DEPTHWISE wants ours and no others.
    """
    fault = kernels.check_depthwise(model, device, AUTOCAST_TYPES.get(precision.name, torch.float32))
    found = distributed.gather_objects(fault)
    for rank, why in enumerate(found):
        if why:
            kernels.refuse_depthwise(f"process {rank}: {why}" if len(found) > 1 else why)
            return
