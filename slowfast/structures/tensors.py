"""The tensors within nested data."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


def tensors_in(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of every floating-point tensor in dicts, lists, tuples and dataclasses: "model_state.head.weight"."""
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield name, value
        return
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for key, inner in items:
        yield from tensors_in(inner, f"{name}.{key}" if name else str(key))


def all_finite(value: Any) -> Tensor:
    """() bool, on the device of the tensors in `value`: none of them holds a NaN or an infinity. Nothing waits for it."""
    found = [torch.isfinite(tensor).all() for _, tensor in tensors_in(value)]
    return torch.stack(found).all() if found else torch.ones((), dtype=torch.bool)
