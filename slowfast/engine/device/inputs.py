"""From a collated batch to what the network makes of it: on the device, mirrored, normalised and augmented there."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from slowfast.datasets.augment.colours import ClipColours, ColourFactors
from slowfast.engine.device.compiling import FullBatches
from slowfast.engine.device.pixels import Pixels, normalises_itself
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
        self._left, self._in_floats = False, False

    def leave_pixels_to(self, module: nn.Module) -> None:
        """Let `module`, whose first argument are the clips, normalise them itself: from now on `prepare` leaves uint8 clips
        as they are where nothing else is to be done to them as floats. All models that are called must have been told so.
        """
        if not normalises_itself(module):
            module.register_forward_pre_hook(Pixels(self.mean, self.std, bgr=self.bgr))
        self._left = True

    def prepare(self, batch: ClipBatch) -> ClipBatch:
        """Move a batch to the device as uint8, a quarter of the bytes of float (Prefetch may have done it before).

        There the clips that are marked so are mirrored, colours are changed, all are normalised, (pixel / 255 - mean) / std,
        and what training does to a whole batch is done. Models that normalise get uint8 clips (`leave_pixels_to`).
        """
        batch = batch.to(self.device, non_blocking=True).mirrored()
        if not self._left:
            return self._in_float(batch)
        # Clips that could not be read have a stand-in; it is as the others are, since another type is compiled anew.
        if len(batch):
            self._in_floats = batch.colours is not None or batch.augmentation is not None
        return self._in_float(batch) if self._in_floats else batch

    def _in_float(self, batch: ClipBatch) -> ClipBatch:
        batch = batch.normalized(self.mean, self.std)
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
        return self._in_float(batch.to(self.device, non_blocking=True)).clips[0].transpose(0, 1)

    def predictor(self, model: nn.Module) -> Callable[[ClipBatch], Any]:
        """A function that calls `model` on prepared batches of one loop: its batches are compiled for one size."""
        full_batches = FullBatches()

        def predict(batch: ClipBatch) -> Any:
            with self.precision.autocast(self.device), full_batches.rule_for(batch.clips):
                return model(*self.arguments(batch))

        return predict
