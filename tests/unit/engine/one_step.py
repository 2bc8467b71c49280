"""Training steps of a tiny BMViT on made-up clips, here or in a process that a test starts."""

import torch
import torch.distributed as dist

from slowfast.engine.device.inputs import Inputs
from slowfast.engine.device.precision import Precision
from slowfast.engine.train_one_epoch import EpochPlan, EpochReport, train_one_epoch
from slowfast.losses.matcher import HungarianMatcher
from slowfast.losses.set_criterion import SetCriterion
from slowfast.models.detection.bmvit import BMViT
from slowfast.solver.param_groups import param_groups
from slowfast.solver.schedule import Schedule
from slowfast.structures.clip import ClipBatch, ClipMeta, UnreadableClip
from slowfast.structures.targets import People
from tests.unit.losses.people import random_cxcywh
from tests.unit.models.tiny import CLIP_SHAPE, tiny_bmvit

CPU = torch.device("cpu")
LOST = UnreadableClip("lost", 5, "cannot read lost.mp4 at 5.000 s: cut off")


def batch_of(people: tuple[int, ...], *, first: int = 0, repeated: int = 0) -> ClipBatch:
    """One clip per count; `first` is the number of the first one. Clip k is the same however it is batched."""
    clips, boxes, actions, meta = [], [], [], []
    for k, count in enumerate(people, start=first):
        generator = torch.Generator().manual_seed(k)
        clips.append(torch.randint(0, 256, CLIP_SHAPE, generator=generator, dtype=torch.uint8))
        boxes.append(random_cxcywh(count, generator=generator))
        actions.append((torch.rand(count, 3, generator=generator) < 0.5).float())
        meta.append(ClipMeta("video", k, (0.0, 0.0, 1.0, 1.0), repeated_frames=repeated))
    return ClipBatch(torch.stack(clips), People(torch.cat(boxes), torch.cat(actions), people), tuple(meta))


def unreadable_batch() -> ClipBatch:
    """What collate makes when no clip of a batch could be read."""
    nobody = People(torch.zeros(0, 4), torch.zeros(0, 3), (0,))
    return ClipBatch(torch.zeros(1, *CLIP_SHAPE, dtype=torch.uint8), nobody, (), (LOST,))


def criterion() -> SetCriterion:
    matcher = HungarianMatcher(actor_cost=1, l1_cost=5, giou_cost=2)
    return SetCriterion(matcher, weights={"actor": 1.0, "box_l1": 5.0, "box_giou": 2.0, "action": 4.0})


def sgd(model: BMViT, *, lr: float = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD(param_groups(model, base_lr=lr), lr=lr)


def train(
    model: torch.nn.Module,
    batches: list[ClipBatch],
    optimizer: torch.optim.Optimizer,
    *,
    accumulate: int = 1,
    **options,
) -> EpochReport:
    """One epoch at a constant rate."""
    plan = options.pop("plan", None) or EpochPlan(
        options.pop("epoch", 0),
        len(batches) // accumulate,
        accumulate,
        options.pop("clip_grad", 0.0),
        options.pop("skipped_before", 0),
        options.pop("clip_value", 0.0),
    )
    return train_one_epoch(
        model,
        options.pop("criterion", None) or criterion(),
        batches,
        optimizer,
        inputs=Inputs(
            CPU, mean=(0.45,) * 3, std=(0.225,) * 3, precision=Precision(options.pop("precision", "float32"))
        ),
        schedule=options.pop("schedule", Schedule(lambda epoch: 1.0)),
        plan=plan,
        **options,
    )


# Two processes: (people per clip of the whole batch, then for each process the people of its clips and the first clip's
# number). One person for two processes; and a process that can read nothing.
SHARED_STEPS = (
    ((1, 0), (((1,), 0), ((0,), 1))),
    ((2, 1), (((2, 1), 0), ((), 0))),
)


def steps_in_a_process(rank: int, rendezvous: str, out: str) -> None:
    """The first step of each of SHARED_STEPS in process `rank` of 2; process 0 saves the weights after each."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    try:
        after = []
        for _, shares in SHARED_STEPS:
            model = tiny_bmvit()
            people, first = shares[rank]
            batch = batch_of(people, first=first) if people else unreadable_batch()
            train(torch.nn.parallel.DistributedDataParallel(model), [batch], sgd(model))
            after.append(model.state_dict())
        if rank == 0:
            torch.save(after, out)
    finally:
        dist.destroy_process_group()
