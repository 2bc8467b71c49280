"""A model on several processes: each has a copy, and their gradients are averaged (DistributedDataParallel)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from slowfast.utils import distributed


def parallelised(model: nn.Module, device: torch.device, *, act_checkpoint: bool) -> nn.Module:
    """The model to call in training; on one process that is `model` itself."""
    if distributed.world_size() == 1:
        return model
    if act_checkpoint:
        # What compiles the parts between two reductions could not take a checkpoint apart in some versions.
        torch._dynamo.config.optimize_ddp = False
    keep_layouts(model)
    ids = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=ids)


def keep_layouts(model: nn.Module) -> None:
    """From now on each parameter gets its gradient in its own layout in memory.

    Some operations give another: that of cuDNN, or other strides along axes of size 1. DistributedDataParallel then
    copies the gradient in every step, and warns.
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.register_hook(_in_layout(parameter.shape, parameter.stride()))


def _in_layout(shape: torch.Size, strides: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    dense = torch.empty_strided(shape, strides, device="meta").is_contiguous()

    def put(gradient: Tensor) -> Tensor:
        if gradient.stride() == strides:
            return gradient
        if dense and gradient.is_contiguous():  # they differ along axes of size 1 only
            return gradient.as_strided(shape, strides)
        return gradient.new_empty_strided(shape, strides).copy_(gradient)

    return put
