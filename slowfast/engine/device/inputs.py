"""From a collated batch to what the network makes of it: on the device, mirrored, normalised and augmented there."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from slowfast.datasets.augment.colours import ClipColours, ColourFactors
from slowfast.engine.device.compiling import FullBatches
from slowfast.engine.device.precision import Precision
from slowfast.structures.clip import ClipBatch
from slowfast.structures.targets import Labels

Arguments = Callable[[ClipBatch], tuple[Tensor, ...]]


def clips_alone(batch: ClipBatch) -> tuple[Tensor, ...]:
    """What most models are called with."""
    return (batch.clips,)


class Inputs:
    """Prepares batches and calls models, in training and in testing alike.

    mean, std:  of R, G, B in [0, 1]
    bgr:        the network takes B, G, R: the channels are exchanged after they are normalised
    arguments:  what the model is called with, from a prepared batch
    precision:  in which it computes
    """

    def __init__(
        self,
        device: torch.device,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        arguments: Arguments = clips_alone,
        precision: Precision | None = None,
        bgr: bool = False,
    ) -> None:
        self.bgr = bgr
        self.device, self.arguments, self.precision = device, arguments, precision or Precision()
        self.mean = torch.tensor(mean, dtype=torch.float32, device=device)
        self.std = torch.tensor(std, dtype=torch.float32, device=device)

    def prepare(self, batch: ClipBatch) -> ClipBatch:
        """Move a batch to the device as uint8, a quarter of the bytes of float (Prefetch may have done it before).

        There the clips that are marked so are mirrored, colours are changed, all are normalised, (pixel / 255 - mean) / std,
        and what training does to a whole batch is done.
        """
        batch = batch.to(self.device, non_blocking=True).mirrored().normalized(self.mean, self.std)
        if self.bgr:
            batch = replace(batch, clips=batch.clips.flip(1))
        return batch.augmented()

    def pictures(self, frames: Tensor, colours: ColourFactors | None = None) -> Tensor:
        """(3, n, h, w) uint8 RGB -> (n, 3, h, w) as the network takes them, on the device: for a part of it that sees single
        frames.

        colours: how they are changed, as those of one clip
        """
        change = ClipColours.of([colours], [(frames.shape[-2], frames.shape[-1])])
        batch = ClipBatch(frames[None], Labels(torch.zeros(1, dtype=torch.int64)), (), colours=change)
        return self.prepare(batch).clips[0].transpose(0, 1)

    def predictor(self, model: nn.Module) -> Callable[[ClipBatch], Any]:
        """A function that calls `model` on prepared batches of one loop: its batches are compiled for one size."""
        full_batches = FullBatches()

        def predict(batch: ClipBatch) -> Any:
            with self.precision.autocast(self.device), full_batches.rule_for(batch.clips):
                return model(*self.arguments(batch))

        return predict
