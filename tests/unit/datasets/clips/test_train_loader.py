"""slowfast.datasets.clips.train_loader: what a step has in common is told by its epoch and its number, not its micro-batch."""

import pytest
from torch.utils.data import DataLoader

from slowfast.datasets.clips.samplers import TrainBatches
from slowfast.datasets.clips.train_loader import TrainBatchLoader


@pytest.mark.parametrize("accumulate", [1, 2, 4])
def test_micro_batches_of_a_step_are_changed_alike(accumulate):
    batches = TrainBatches(17, batch_size=8, accumulate=accumulate)
    seen: list[tuple[int, int]] = []

    def change(batch, epoch, step):
        seen.append((epoch, step))
        return batch

    items = {(index, epoch): index for index in range(17) for epoch in range(4)}
    loader = TrainBatchLoader(DataLoader(items, batch_sampler=batches), batches, clips_per_item=3, change=change)
    loader.set_epoch(3)
    assert len(list(loader)) == 2 * accumulate and (loader.steps, loader.clips_per_step) == (2, 24)
    assert seen == [(3, 0)] * accumulate + [(3, 1)] * accumulate
