"""A hundred steps of a small detector, in float64, against the numbers that were recorded: a change of any number of the
model, the matching, the losses, the optimiser, the schedule or the average fails here. A change on purpose is recorded with

    RECORD_LOSS_CURVE=1 python -m pytest -q tests/integration/test_loss_curve.py
"""

import json
import os
from pathlib import Path

import pytest
import torch

from slowfast.config.load import load_cfg
from slowfast.engine.device.inputs import Inputs
from slowfast.engine.train_one_epoch import EpochPlan, train_one_epoch
from slowfast.losses.build import build_criterion
from slowfast.models.build import build_model
from slowfast.solver.build import build_optimizer, build_schedule, build_weight_average
from slowfast.structures.clip import ClipBatch, ClipMeta
from slowfast.structures.targets import People
from slowfast.structures.tensors import tensors_in
from tests.rules.sources import ROOT

RECORDED = Path(__file__).with_name("loss_curve.json")
STEPS, EPOCHS, CLIPS, CLASSES = 25, 4, 2, 7
# Weights changed in the last of 16 digits, as processors differ, move the curve by 1e-14 at most; AdamW's eps of 1.1e-8 in
# place of 1e-8 moves it by 1e-7.
TOLERANCE = 1e-9
SMALL = [
    *("MVIT.EMBED_DIM", "8", "BMVIT.AUX_BLOCKS", "[1]", "MVIT.DEPTH", "3"),
    *("MVIT.POOL_Q_STRIDE", "[[0, 1, 1, 1], [1, 1, 2, 2], [2, 1, 1, 1]]"),
    *("BMVIT.HEAD_HIDDEN", "16", "DATA.NUM_FRAMES", "4", "DATA.TRAIN_CROP_SIZE", "[16, 24]", "DATA.TEST_CROP_SIZE", "[16, 24]"),
    *("SOLVER.EMA_DECAY", "0.9", "SOLVER.MAX_EPOCH", str(EPOCHS), "SOLVER.WARMUP_EPOCHS", "1.0", "SOLVER.LAYER_DECAY", "0.8"),
    *("TRAIN.GRAD_ACCUM_STEPS", "2", "RNG_SEED", "5"),
]  # fmt: skip


def batch_of(step: int, number: int) -> ClipBatch:
    """Clips, boxes and actions of arithmetic alone: no random generator has to stay as it is."""
    place = torch.arange(CLIPS * 3 * 4 * 16 * 24, dtype=torch.float64) + 7919 * (2 * step + number)
    clips = (127.5 + 127.5 * torch.sin(place * 0.37) * torch.cos(place * 0.0113)).to(torch.uint8)
    people = (2, 1) if step % 3 else (1, 0)
    k = torch.arange(sum(people), dtype=torch.float64) + step
    boxes = torch.stack(
        [0.5 + 0.25 * torch.sin(k), 0.5 + 0.2 * torch.cos(k), 0.3 + 0.1 * torch.sin(2 * k), 0.4 + 0 * k], 1
    )
    actions = ((torch.arange(CLASSES)[None] + k[:, None].long()) % 3 == 0).double()
    meta = tuple(ClipMeta("video", step * 2 + c, (0.0, 0.0, 1.0, 1.0)) for c in range(CLIPS))
    return ClipBatch(clips.reshape(CLIPS, 3, 4, 16, 24), People(boxes, actions, people), meta)


def curve() -> dict[str, list[float]]:
    """The loss terms of every fifth step, and at the end the sums of the squares of the weights and of their average."""
    cfg = load_cfg(ROOT / "configs/Toy/BMViT_toy.yaml", SMALL)
    torch.manual_seed(cfg.RNG_SEED)
    model = build_model(cfg)
    with torch.no_grad():  # instead of random numbers: their stream may change with torch
        for number, parameter in enumerate(model.parameters()):
            place = torch.arange(parameter.numel()).reshape(parameter.shape)
            scale = 1.0 if parameter.ndim == 1 else parameter[0].numel() ** -0.5
            parameter.copy_(parameter * (parameter.ndim == 1) + scale * torch.sin(place * 12.9898 + number) * 0.8)
    optimizer, average = build_optimizer(cfg, model), build_weight_average(cfg, model)
    terms: dict[str, list[float]] = {}

    def note(step, factor, meter, watch):
        if step % 5 == 4:
            for name, value in meter.means_and_reset().items():
                terms.setdefault(name, []).append(value)

    for epoch in range(EPOCHS):
        train_one_epoch(
            model,
            build_criterion(cfg, default="set"),
            [batch_of(epoch * STEPS + step, number) for step in range(STEPS) for number in range(2)],
            optimizer,
            inputs=Inputs(
                torch.device("cpu"), mean=(0.45,) * 3, std=(0.225,) * 3, arguments=lambda batch: (batch.clips.double(),)
            ),
            schedule=build_schedule(cfg),
            plan=EpochPlan(epoch, STEPS, 2, clip_grad=cfg.SOLVER.CLIP_GRAD_L2NORM),
            average=average,
            on_step=note,
        )
    for name, network in (("weights", model), ("average", average.average)):
        terms[name] = [float(sum(tensor.square().sum() for _, tensor in tensors_in(network.state_dict())))]
    return terms


@pytest.fixture
def doubled(monkeypatch):
    """Everything in float64, what is computed in float32 on purpose, too; one thread."""
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(threads)


@pytest.mark.long
def test_the_losses_of_a_hundred_steps_are_those_recorded(doubled):
    found = curve()
    if os.environ.get("RECORD_LOSS_CURVE"):
        RECORDED.write_text(json.dumps(found, indent=1) + "\n")
    recorded = json.loads(RECORDED.read_text())
    assert found.keys() == recorded.keys()
    assert len(found["total"]) == STEPS * EPOCHS // 5
    for name, values in recorded.items():
        assert found[name] == pytest.approx(values, rel=TOLERANCE, abs=1e-12), name
    assert found["total"][-1] < found["total"][0]  # it learns
