"""TrainBatchLoader: the micro-batches of one epoch after another, of any kind of clip."""

from collections.abc import Callable, Iterator
from typing import Any

from torch.utils.data import DataLoader

from slowfast.datasets.clips.samplers import TrainBatches
from slowfast.structures.clip import ClipBatch
from slowfast.structures.digest import digest

StepChange = Callable[[ClipBatch, int, int], ClipBatch]


class TrainBatchLoader:
    """A DataLoader and the batches that it draws.

    clips_per_item: clips that each thing drawn brings
    change:         (batch, epoch, step) -> batch, done in the training process: what a whole step has in common
    annotated:      what is known of the clips, for `digest`
    """

    def __init__(
        self,
        loader: DataLoader,
        batches: TrainBatches,
        *,
        clips_per_item: int = 1,
        change: StepChange | None = None,
        annotated: Any = None,
    ) -> None:
        self._loader, self._batches, self._change = loader, batches, change
        self._clips_per_item, self._annotated = clips_per_item, annotated

    @property
    def steps(self) -> int:
        """Optimiser steps in an epoch."""
        return self._batches.steps

    @property
    def clips_per_step(self) -> int:
        """Clips of an optimiser step over all processes."""
        return self._batches.batch_size * self._clips_per_item

    def digest(self) -> str:
        """A short text that differs where the annotations of the clips do."""
        return digest(self._annotated)

    def set_epoch(self, epoch: int, first_step: int = 0) -> None:
        """first_step: where in the epoch it begins."""
        self._batches.set_epoch(epoch, first_step)

    def __iter__(self) -> Iterator[ClipBatch]:
        if self._change is None:
            yield from self._loader
            return
        batches = self._batches
        for number, batch in enumerate(self._loader):
            yield self._change(batch, batches.epoch, batches.first_step + number // batches.accumulate)
