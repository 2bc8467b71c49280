"""A model on several processes: each has a copy, and their gradients are averaged (DistributedDataParallel)."""

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from slowfast.utils import distributed


def parallelised(model: nn.Module, device: torch.device, *, act_checkpoint: bool) -> nn.Module:
    """The model to call in training; on one process that is `model` itself."""
    if distributed.world_size() == 1:
        return model
    if act_checkpoint:
        # What compiles the parts between two reductions could not take a checkpoint apart in some versions.
        torch._dynamo.config.optimize_ddp = False
    ids = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=ids)
