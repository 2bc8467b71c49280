"""From a collated batch to what the network takes: on the device, mirrored and normalised there."""

from collections.abc import Sequence

import torch
from torch import Tensor

from slowfast.structures.clip import ClipBatch
from slowfast.structures.roi import regions_of_people


class InputPipe:
    """Moves a batch to `device` as uint8, a quarter of the bytes of float (Prefetch may have done it before).

    There the clips that are marked so are mirrored, and all are normalised: (pixel / 255 - mean) / std.

    give_boxes: the model is the two-stage one, which is given the people's boxes beside the clips
    """

    def __init__(
        self, device: torch.device, *, mean: Sequence[float], std: Sequence[float], give_boxes: bool = False
    ) -> None:
        self.device, self.give_boxes = device, give_boxes
        self.mean = torch.tensor(mean, dtype=torch.float32, device=device)
        self.std = torch.tensor(std, dtype=torch.float32, device=device)

    def __call__(self, batch: ClipBatch) -> ClipBatch:
        return batch.to(self.device, non_blocking=True).mirrored().normalized(self.mean, self.std)

    def arguments(self, batch: ClipBatch) -> tuple[Tensor, ...]:
        """What the model is called with, from a batch that went through the pipe: (clips,), or (clips, boxes (K, 5))."""
        if not self.give_boxes:
            return (batch.clips,)
        return (batch.clips, regions_of_people(batch.targets, tuple(batch.clips.shape[-2:])))
