"""Small constant tensors that depend on a grid and a device only: made once, not in every forward pass."""

from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor
from torch.utils._python_dispatch import _get_current_dispatch_mode

_LARGEST = 256  # entries per function: a run sees a few grids; a process that sees endless sizes must not grow


def cached_tensor(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Remember what `make(*hashable arguments)` returned; the device must be among the arguments.

    The cached tensor is an ordinary one even when first asked for under `inference_mode`, so that training can use it
    later. While a graph is traced nothing is read or kept: its tensors are stand-ins without numbers. While a CUDA graph is
    recorded nothing is kept: what it makes lies in the graph's memory, and has no numbers before the first replay.
    """
    cache: dict[tuple, Tensor] = {}

    @wraps(make)
    def cached(*key: object) -> Tensor:
        if torch.compiler.is_compiling() or _get_current_dispatch_mode() is not None:
            return make(*key)
        if key not in cache:
            if torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing():
                return make(*key)
            if len(cache) >= _LARGEST:
                cache.clear()
            with torch.inference_mode(False):
                cache[key] = make(*key)
        return cache[key]

    return cached
