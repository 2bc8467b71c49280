"""A model on several processes: TRAIN.PARALLEL ddp, each has a copy (DistributedDataParallel), or fsdp, each has a part
of every parameter, gradient and moment (FSDP2, `fully_shard`)."""

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from slowfast.engine.device.precision import AUTOCAST_TYPES, Precision
from slowfast.utils.processes import distributed
from slowfast.utils.processes.shards import any_cut

DDP, FSDP = "ddp", "fsdp"
SETTINGS = (DDP, FSDP)  # of TRAIN.PARALLEL
_OUTPUTS_KNOWN = False


def is_cut(setting: str) -> bool:
    """Whether models are cut: not where one process has all of it anyway."""
    return setting == FSDP and distributed.world_size() > 1


def cut(model: nn.Module, device: torch.device, precision: Precision) -> None:
    """Leave each process its part of every parameter, in place; they begin with the numbers of process 0.

    The blocks of a transformer are gathered one by one when they are computed, and what is around them once a step.
    In bf16 and fp16 the blocks are gathered and multiplied in that type, their gradients summed in float32, and the parts
    that the optimiser moves stay float32; patches, positions and heads are gathered in float32, as boxes need it.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    if device.type == "cpu" and not hasattr(torch.cpu.Stream, "record_event"):
        raise ValueError(
            f"TRAIN.PARALLEL is fsdp, and torch {torch.__version__} cuts models on GPUs only; install a newer torch, or set "
            "TRAIN.PARALLEL ddp"
        )
    _make_outputs_known()
    # Nothing changes outputs of models in place, which would lose the gradients.
    warnings.filterwarnings("ignore", message=r"FSDP2-wrapped module .* returned a view tensor")
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            dist.broadcast(tensor, 0)
    mesh = init_device_mesh(device.type, (distributed.world_size(),))
    policy = MixedPrecisionPolicy()
    if precision.autocasts:
        # Autocast decides about inputs, as it does without: what is added up between blocks stays float32.
        policy = MixedPrecisionPolicy(
            param_dtype=AUTOCAST_TYPES[precision.name], reduce_dtype=torch.float32, cast_forward_inputs=False
        )
    for block in blocks_of(model):
        if precision.autocasts and device.type == "cpu":
            _norms_in_float32(block)
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh)


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """The blocks of a transformer, wherever in the model it is."""
    return [
        block
        for name, module in model.named_modules()
        if name.split(".")[-1] == "blocks" and isinstance(module, nn.ModuleList)
        for block in module
        if any(True for _ in block.parameters())
    ]


def _norms_in_float32(block: nn.Module) -> None:
    """Autocast computes layer norms in float32 on a GPU; the CPU's does not, and takes no weights of another type than x."""

    def forward(norm: nn.LayerNorm, x: Tensor) -> Tensor:
        weight, bias = (None if value is None else value.float() for value in (norm.weight, norm.bias))
        return nn.functional.layer_norm(x.float(), norm.normalized_shape, weight, bias, norm.eps)

    for module in block.modules():
        if isinstance(module, nn.LayerNorm):
            module.forward = partial(forward, module)  # type: ignore[method-assign]


def _make_outputs_known() -> None:
    """Let FSDP2 find the tensors in what models return: without, some versions do not gather gradients of the outermost part."""
    global _OUTPUTS_KNOWN
    if _OUTPUTS_KNOWN:
        return
    from torch.export import register_dataclass

    from slowfast.structures.outputs.masked import MaskedPredictions
    from slowfast.structures.outputs.predictions import Predictions
    from slowfast.structures.outputs.roi import RoIPredictions

    for kind in (Predictions, RoIPredictions, MaskedPredictions):
        register_dataclass(kind)
    _OUTPUTS_KNOWN = True


def parallelised(model: nn.Module, device: torch.device, *, act_checkpoint: bool) -> nn.Module:
    """The model to call in training; on one process, and where it was cut, that is `model` itself."""
    if distributed.world_size() == 1 or any_cut(model):
        return model
    if act_checkpoint:
        # What compiles the parts between two reductions could not take a checkpoint apart in some versions.
        torch._dynamo.config.optimize_ddp = False
    keep_layouts(model)
    ids = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=ids)


def same_statistics(model: nn.Module) -> None:
    """What a training step has moved without a gradient, as the running statistics of batch norms, is now process 0's on all.

    After each step, on all processes together: so no process tests, averages or saves others. Meant are the buffers in the
    state of modules that are in training mode; those that are kept in evaluation mode do not move.
    """
    if distributed.world_size() == 1:
        return
    by_type: dict[torch.dtype, list[Tensor]] = {}
    for module in model.modules():
        for name, buffer in module._buffers.items() if module.training else ():
            if buffer is not None and name not in module._non_persistent_buffers_set:
                by_type.setdefault(buffer.dtype, []).append(buffer)
    for buffers in by_type.values():
        together = torch.cat([buffer.reshape(-1) for buffer in buffers])  # one message, not one for each
        dist.broadcast(together, 0)
        for buffer, part in zip(buffers, together.split([buffer.numel() for buffer in buffers]), strict=True):
            buffer.copy_(part.view_as(buffer))


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


def gradients_averaged(model: Any, is_last: bool) -> AbstractContextManager:
    """Processes average their gradients once a step, in the backward pass of its last micro-batch."""
    if hasattr(model, "set_requires_gradient_sync"):  # FSDP2's
        model.set_requires_gradient_sync(is_last)
        return nullcontext()
    return nullcontext() if is_last or not isinstance(model, DistributedDataParallel) else model.no_sync()
