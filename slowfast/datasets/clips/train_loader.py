"""TrainBatchLoader: the micro-batches of one epoch after another, of any kind of clip."""

from collections.abc import Callable, Iterator

from torch.utils.data import DataLoader

from slowfast.datasets.clips.samplers import TrainBatches
from slowfast.structures.clip import ClipBatch

StepChange = Callable[[ClipBatch, int, int], ClipBatch]


class TrainBatchLoader:
    """A DataLoader and the batches that it draws.

    clips_per_item: clips that each thing drawn brings
    change:         (batch, epoch, step) -> batch, done in the training process: what a whole step has in common
    """

    def __init__(
        self, loader: DataLoader, batches: TrainBatches, *, clips_per_item: int = 1, change: StepChange | None = None
    ) -> None:
        self._loader, self._batches, self._change = loader, batches, change
        self._clips_per_item = clips_per_item

    @property
    def steps(self) -> int:
        """Optimiser steps in an epoch."""
        return self._batches.steps

    @property
    def clips_per_step(self) -> int:
        """Clips of an optimiser step over all processes."""
        return self._batches.batch_size * self._clips_per_item

    def set_epoch(self, epoch: int) -> None:
        self._batches.set_epoch(epoch)

    def __iter__(self) -> Iterator[ClipBatch]:
        if self._change is None:
            yield from self._loader
            return
        for number, batch in enumerate(self._loader):
            yield self._change(batch, self._batches.epoch, number // self._batches.accumulate)
