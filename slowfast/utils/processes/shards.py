"""Tensors of which each process holds a part (FSDP2 makes them: DTensor): made whole, copied, and cut again."""

import sys
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


def is_cut(value: Any) -> bool:
    """Whether each process holds a part of this tensor."""
    module = sys.modules.get("torch.distributed.tensor")  # its import takes seconds, and nothing was cut without it
    return module is not None and isinstance(value, module.DTensor)


def any_cut(model: nn.Module) -> bool:
    """Whether a model is one that FSDP2 has cut."""
    return any(is_cut(parameter) for parameter in model.parameters())


def whole(value: Any, *, here: bool = True) -> Any:
    """A copy of nested dicts, lists and tensors on the CPU, with whole tensors, which later steps do not change.

    On all processes together where a tensor is cut. here: this process wants it; False gives None in place of tensors
    """
    if isinstance(value, Tensor):
        if is_cut(value):
            value = value.full_tensor()  # type: ignore[attr-defined]  # of a DTensor
            return value.cpu() if here else None  # it is a new tensor
        return value.detach().to("cpu", copy=True) if here else None
    return _rebuilt(value, lambda inner: whole(inner, here=here))


def copied(value: Any) -> Any:
    """A copy of nested dicts, lists and tensors on the CPU, of each tensor the part that this process holds."""
    if isinstance(value, Tensor):
        return value.detach().clone() if value.device.type == "cpu" else value.detach().cpu()
    return _rebuilt(value, copied)


def _rebuilt(value: Any, make: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: make(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [make(inner) for inner in value]
    if type(value) is tuple:
        return tuple(make(inner) for inner in value)
    return value


def cut_like(value: Any, model: Any) -> Any:
    """A whole tensor cut as `model` is, with the numbers that process 0 has; as it is where `model` is whole.

    One of another shape, and what is no tensor, stays as it is. On all processes together.
    """
    if not is_cut(model) or not isinstance(value, Tensor) or is_cut(value) or value.shape != model.shape:
        return value
    from torch.distributed.tensor import distribute_tensor

    value = value.to(model.device, model.dtype)
    return distribute_tensor(value, model.device_mesh, model.placements)


def load_whole(module: nn.Module, state: Mapping[str, Any]) -> None:
    """`module.load_state_dict(state)`, whether the module is cut or not; `state` is whole. Raises as that does."""
    own = module.state_dict()
    module.load_state_dict({name: cut_like(value, own.get(name)) for name, value in state.items()})
