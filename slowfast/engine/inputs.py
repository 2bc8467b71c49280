"""From a collated batch to what the network takes: on the device, normalised there."""

from collections.abc import Sequence

import torch

from slowfast.structures.clip import ClipBatch


class InputPipe:
    """Moves a batch to `device` as uint8, a quarter of the bytes of float, and normalises it there: (pixel / 255 - mean) / std."""

    def __init__(self, device: torch.device, *, mean: Sequence[float], std: Sequence[float]) -> None:
        self.device = device
        self.mean = torch.tensor(mean, dtype=torch.float32, device=device)
        self.std = torch.tensor(std, dtype=torch.float32, device=device)

    def __call__(self, batch: ClipBatch) -> ClipBatch:
        return batch.to(self.device, non_blocking=True).normalized(self.mean, self.std)
