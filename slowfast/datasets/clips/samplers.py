"""Which clips a process sees: seeded shuffling for training, plain sharding without padding or repetition for testing."""

from collections.abc import Iterator

import torch


class TrainBatches:
    """Batch sampler for training: lists of (index, epoch), one list per micro-batch of this process.

    A step takes `batch_size` clips over all processes in `accumulate` micro-batches. The clips of a step depend on
    seed and epoch only, not on the number of processes; the epoch travels with each index, so that augmentation can be
    seeded by (seed, epoch, index). The clips left over at the end of an epoch wait for the next shuffle.

    pairs: clips 2k and 2k + 1 of a step are always in one batch, so that they can be mixed with each other; what a
           process takes of a micro-batch is then one piece of it, of an even number of clips
    what:  what is counted, for messages
    """

    def __init__(
        self,
        num_clips: int,
        *,
        batch_size: int,
        accumulate: int = 1,
        rank: int = 0,
        world_size: int = 1,
        seed: int = 0,
        pairs: bool = False,
        what: str = "key frames",
    ) -> None:
        if batch_size % (world_size * accumulate):
            raise ValueError(
                f"TRAIN.BATCH_SIZE ({batch_size}) must be divisible by the number of processes ({world_size}) "
                f"times TRAIN.GRAD_ACCUM_STEPS ({accumulate})"
            )
        if num_clips < batch_size:
            raise ValueError(f"the training set has {num_clips} {what}, fewer than TRAIN.BATCH_SIZE ({batch_size})")
        if pairs and batch_size // (world_size * accumulate) % 2:
            raise ValueError(
                f"MIXUP.ENABLE mixes videos in pairs, and a batch has {batch_size // (world_size * accumulate)}: "
                f"TRAIN.BATCH_SIZE ({batch_size}) must be divisible by twice the number of processes ({world_size}) times "
                f"TRAIN.GRAD_ACCUM_STEPS ({accumulate}), or set MIXUP.ENABLE False"
            )
        self.num_clips, self.batch_size, self.accumulate = num_clips, batch_size, accumulate
        self.rank, self.world_size, self.seed, self.pairs = rank, world_size, seed, pairs
        self.epoch, self.first_step = 0, 0

    @property
    def steps(self) -> int:
        """Optimiser steps in an epoch."""
        return self.num_clips // self.batch_size

    @property
    def batch_of_one(self) -> int:
        """Clips of a micro-batch on one process."""
        return self.batch_size // (self.accumulate * self.world_size)

    def set_epoch(self, epoch: int, first_step: int = 0) -> None:
        """first_step: the steps before it are left out, for a run that goes on within an epoch."""
        self.epoch, self.first_step = epoch, first_step

    def __len__(self) -> int:
        return (self.steps - self.first_step) * self.accumulate

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.num_clips, generator=generator).tolist()
        micro = self.batch_size // self.accumulate
        for start in range(self.first_step * self.batch_size, self.steps * self.batch_size, micro):
            yield [(index, self.epoch) for index in order[start : start + micro][self._share(micro)]]

    def _share(self, micro: int) -> slice:
        """What this process takes of a micro-batch."""
        if not self.pairs:
            return slice(self.rank, None, self.world_size)
        own = micro // self.world_size
        return slice(self.rank * own, (self.rank + 1) * own)


class ShardSampler:
    """Every world_size-th clip, from `rank` on: together the processes see each clip exactly once."""

    def __init__(self, num_clips: int, *, rank: int = 0, world_size: int = 1) -> None:
        self.indices = range(rank, num_clips, world_size)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)
