"""Where oneDNN does a float32 layer faster on a CPU than PyTorch's own choice (docs/PERFORMANCE.md)."""

import torch
from torch import Tensor


def runs_in_onednn(x: Tensor) -> bool:
    """True where the layers of this package choose oneDNN themselves: float32 on a CPU, outside autocast.

    An exported or traced graph keeps the plain layers, which every runtime knows.
    """
    if torch.compiler.is_exporting() or torch.jit.is_tracing():
        return False
    usable = torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    return x.device.type == "cpu" and x.dtype == torch.float32 and usable and not torch.is_autocast_enabled("cpu")
