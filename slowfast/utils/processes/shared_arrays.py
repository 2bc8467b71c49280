"""Arrays that a spawned process sees without a copy of its own: one for all loader workers, through shared memory."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

SHARED_MEMORY = Path("/dev/shm")
WORTH_BYTES = 1 << 20  # of an object's arrays together
_ROOM = 4  # times that much must be free, as the batches need it more


def for_workers(
    arrays: dict[str, np.ndarray], *, folder: Path = SHARED_MEMORY, at_once: bool = False
) -> dict[str, Any]:
    """The arrays as something to pickle; `from_parent` makes arrays of it again. Call it once and keep what it gives.

    They become tensors, which PyTorch sends to a process that it spawns as a place in shared memory; any other pickling
    copies them. Small arrays stay as they are, and all do where the shared memory of the machine (`folder`) is small.
    at_once: move them now and not when they are first sent, so that this process can let its own go and use what
             `from_parent` makes of the result. (Moving a tensor takes the memory from arrays that were made of it before.)
    """
    count = sum(array.nbytes for array in arrays.values())
    if count < WORTH_BYTES or not folder.is_dir() or shutil.disk_usage(folder).free < _ROOM * count:
        return dict(arrays)
    import torch  # not by what only reads annotations

    tensors = {name: torch.from_numpy(np.require(array, requirements=["C", "W"])) for name, array in arrays.items()}
    return {name: tensor.share_memory_() for name, tensor in tensors.items()} if at_once else tensors


def from_parent(sent: dict[str, Any]) -> dict[str, np.ndarray]:
    """Not to be written to: other processes see it."""
    return {name: value if isinstance(value, np.ndarray) else value.numpy() for name, value in sent.items()}
