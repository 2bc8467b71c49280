"""slowfast.datasets.clips.samplers: what the processes see together does not depend on how many they are."""

import pytest

from slowfast.datasets.clips.samplers import ShardSampler, TrainBatches


def steps_of(
    world_size: int, accumulate: int = 1, *, num_clips: int = 26, epoch: int = 3, seed: int = 1
) -> list[list[int]]:
    """The clips of each step over all processes, sorted."""
    shares = []
    for rank in range(world_size):
        batches = TrainBatches(
            num_clips, batch_size=12, accumulate=accumulate, rank=rank, world_size=world_size, seed=seed
        )
        batches.set_epoch(epoch)
        share = list(batches)
        assert len(share) == len(batches) == batches.steps * accumulate
        assert all(len(micro) == 12 // accumulate // world_size for micro in share)
        assert {e for micro in share for _, e in micro} == {epoch}
        shares.append(share)
    steps = [[] for _ in range(batches.steps)]
    for share in shares:
        for number, micro in enumerate(share):
            steps[number // accumulate] += [index for index, _ in micro]
    return [sorted(step) for step in steps]


@pytest.mark.parametrize(("world_size", "accumulate"), [(2, 1), (3, 1), (1, 2), (2, 3), (3, 4), (4, 3)])
def test_the_clips_of_a_step_do_not_depend_on_processes_or_micro_batches(world_size, accumulate):
    alone = steps_of(1)
    assert steps_of(world_size, accumulate) == alone
    seen = [index for step in alone for index in step]
    assert len(seen) == len(set(seen)) == 24  # 26 clips make 2 steps of 12, none twice


def test_every_epoch_and_seed_has_its_own_order():
    assert steps_of(1) == steps_of(1)
    assert len({str(steps_of(1, epoch=epoch, seed=seed)) for epoch in range(4) for seed in range(4)}) == 16


def test_a_clip_left_over_comes_in_another_epoch():
    seen = {index for epoch in range(8) for step in steps_of(1, epoch=epoch) for index in step}
    assert seen == set(range(26))


@pytest.mark.parametrize("num_clips", [0, 1, 2, 7, 12])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_testing_sees_each_clip_exactly_once(num_clips, world_size):
    shards = [ShardSampler(num_clips, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert sorted(index for shard in shards for index in shard) == list(range(num_clips))
    sizes = [len(shard) for shard in shards]
    assert sizes == [len(list(shard)) for shard in shards] and max(sizes) - min(sizes) <= 1


def test_batches_that_cannot_be():
    with pytest.raises(
        ValueError,
        match=r"SIZE \(12\) must be divisible by the number of processes \(5\) times TRAIN.GRAD_ACCUM_STEPS \(2\)",
    ):
        TrainBatches(100, batch_size=12, accumulate=2, world_size=5)
    with pytest.raises(ValueError, match=r"the training set has 11 key frames, fewer than TRAIN.BATCH_SIZE \(12\)"):
        TrainBatches(11, batch_size=12)


@pytest.mark.parametrize(("world_size", "accumulate"), [(1, 1), (2, 1), (3, 1), (1, 2), (2, 3)])
def test_pairs_stay_together(world_size, accumulate):
    alone = list(TrainBatches(26, batch_size=12, seed=1, pairs=True))
    pairs = {frozenset(step[i : i + 2]) for step in alone for i in range(0, 12, 2)}
    found = set()
    for rank in range(world_size):
        for micro in TrainBatches(
            26, batch_size=12, accumulate=accumulate, rank=rank, world_size=world_size, seed=1, pairs=True
        ):
            found |= {frozenset(micro[i : i + 2]) for i in range(0, len(micro), 2)}
    assert found == pairs


def test_batches_without_pairs():
    message = r"mixes videos in pairs, and a batch has 3: TRAIN.BATCH_SIZE \(12\) must be divisible by twice .* \(4\)"
    with pytest.raises(ValueError, match=message):
        TrainBatches(26, batch_size=12, world_size=4, pairs=True)
    with pytest.raises(ValueError, match=r"the training set has 2 videos, fewer"):
        TrainBatches(2, batch_size=12, what="videos")
