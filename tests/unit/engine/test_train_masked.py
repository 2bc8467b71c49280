"""The one train loop and the one test loop serve a masked pre-training, which learns to tell what is hidden from the rest."""

import math
from dataclasses import replace

import pytest
import torch

from slowfast.datasets.augment.masks import MaskShape
from slowfast.datasets.clips.masked_clips import HiddenViews, Hiding
from slowfast.engine.device.inputs import Inputs
from slowfast.engine.test import evaluate
from slowfast.engine.train_one_epoch import EpochPlan, train_one_epoch
from slowfast.evaluation.reconstruction import ReconstructionEvaluator, sums_of_clips
from slowfast.losses.masked_criterion import MaskedCriterion
from slowfast.models.masked import MaskMViT
from slowfast.solver.schedule import Schedule
from slowfast.structures.clip import ClipBatch, UnreadableClip, ViewMeta
from slowfast.structures.targets import Labels, Masked
from tests.unit.models.test_masked import FRAMES, SIZE, backbone

SHAPE = MaskShape((FRAMES // 2, 4, 4), 0.4)
BATCHES, EPOCHS = 8, 6


def stripes(batch: int, clips: int = 8) -> ClipBatch:
    """Clips of moving stripes in one of four directions: what is seen of a clip tells what is hidden of it."""
    generator = torch.Generator().manual_seed(batch)
    angle = (torch.randint(0, 4, (clips, 1, 1, 1), generator=generator) + 0.25) * math.pi / 4
    phase = math.pi * torch.rand(clips, 1, 1, 1, generator=generator)
    t, y, x = torch.meshgrid(torch.arange(FRAMES), torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    wave = torch.sin(0.9 * (x * angle.cos() + y * angle.sin()) + 0.5 * t + 2 * phase)
    pixels = (127.5 + 100 * wave).to(torch.uint8)[:, None].expand(-1, 3, -1, -1, -1).contiguous()
    metas = tuple(ViewMeta(f"{batch}/{clip}", 0) for clip in range(clips))
    return ClipBatch(pixels, Labels(torch.zeros(clips, dtype=torch.int64)), metas)


def inputs() -> Inputs:
    return Inputs(
        torch.device("cpu"),
        mean=(0.45,) * 3,
        std=(0.225,) * 3,
        arguments=lambda batch: (batch.clips, batch.targets.cells),
    )


def masked_model(seed: int = 0) -> MaskMViT:
    return MaskMViT(backbone(seed=seed), depths=[2])


def train(model: MaskMViT, batches: list[ClipBatch], *, accumulate: int = 1, sgd: bool = False) -> list[float]:
    """The loss of each step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5) if sgd else torch.optim.AdamW(model.parameters(), lr=0.02)
    optimizer.param_groups[0] |= {"base_lr": optimizer.param_groups[0]["lr"], "name": "all"}
    plan = EpochPlan(epoch=0, steps=len(batches) // accumulate, accumulate=accumulate, clip_grad=1.0)
    losses: list[float] = []
    report = train_one_epoch(
        model,
        MaskedCriterion(),
        batches,
        optimizer,
        inputs=inputs(),
        schedule=Schedule(lambda epoch: 1.0),
        plan=plan,
        on_step=lambda step, factor, meter, watch: losses.append(meter.means_and_reset()["total"]),
    )
    assert report.steps == plan.steps and not report.skipped
    return losses


def explained(model: MaskMViT, batches: list[ClipBatch]) -> float:
    tested = evaluate(
        model,
        HiddenViews(batches, SHAPE, seed=0),
        ReconstructionEvaluator(),
        inputs=inputs(),
        postprocess=lambda predictions, metas: sums_of_clips(predictions),
    )
    assert tested.clips == sum(map(len, batches))
    return tested.result.headline.value


@pytest.mark.long
def test_it_learns_what_is_hidden_from_what_is_seen():
    """In 48 steps the loss falls to less than half, and less is left to explain of new clips than their mean leaves."""
    model, hiding, unseen = masked_model(), Hiding(SHAPE, seed=0), [stripes(100)]
    batches = [stripes(number) for number in range(BATCHES)]
    before, losses = explained(model, unseen), []
    for epoch in range(EPOCHS):
        losses += train(model, [hiding(batch, epoch, step) for step, batch in enumerate(batches)])
    assert sum(losses[-BATCHES:]) / BATCHES < 0.45 * losses[0]
    assert before < 0 and explained(model, unseen) > 0.3


def test_micro_batches_take_the_step_of_the_whole_batch():
    """Clips hide different numbers of cells, so this holds only where cells are counted over the whole step."""
    batch = stripes(0, clips=4)
    cells = torch.arange(32) < torch.tensor([30, 2, 5, 9])[:, None]
    batch = replace(batch, targets=Masked(cells.view(4, *SHAPE.window)))
    parts = [
        ClipBatch(batch.clips[rows], Masked(batch.targets.cells[rows]), batch.meta[rows])
        for rows in (slice(0, 1), slice(1, 4))
    ]
    whole, divided = masked_model(), masked_model()
    train(whole, [batch], sgd=True)
    train(divided, parts, accumulate=2, sgd=True)
    for (name, a), b in zip(whole.named_parameters(), divided.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")


def test_the_stand_in_for_unreadable_clips_teaches_nothing():
    lost = ClipBatch(stripes(0, clips=1).clips, Labels(torch.zeros(1)), (), (UnreadableClip("lost", 0, "cut off"),))
    hidden, model = Hiding(SHAPE, seed=0)(lost, 0, 0), masked_model()
    assert not hidden.targets.cells.any() and hidden.counts() == (0, 0, 0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert train(model, [hidden]) == [0.0]
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_mask_depends_on_seed_epoch_and_clip_and_on_nothing_else():
    batch = stripes(0)
    hiding = Hiding(SHAPE, seed=0)
    cells = hiding(batch, 0, 0).targets.cells
    part = ClipBatch(batch.clips[3:5], batch.targets, batch.meta[3:5])
    assert torch.equal(hiding(part, 0, 7).targets.cells, cells[3:5])
    assert not torch.equal(hiding(batch, 1, 0).targets.cells, cells)
    assert not torch.equal(Hiding(SHAPE, seed=1)(batch, 0, 0).targets.cells, cells)
    repeat = ClipBatch(batch.clips, batch.targets, tuple(ViewMeta(meta.video, 1) for meta in batch.meta))
    assert not torch.equal(hiding(repeat, 0, 0).targets.cells, cells)
    (first,), (again,) = (list(HiddenViews([batch], SHAPE, seed=0)) for _ in range(2))
    assert torch.equal(first.targets.cells, again.targets.cells) and not torch.equal(first.targets.cells, cells)
    assert first.targets.counts() == (0, 8, int(first.targets.cells.sum()))
