"""slowfast.solver.build: what the keys of SOLVER become."""

import pytest
import torch

from slowfast.config import get_cfg
from slowfast.solver.build import build_optimizer, build_schedule, build_weight_average
from tests.unit.models.tiny import tiny_bmvit


def test_adamw_and_sgd():
    cfg = get_cfg()
    cfg.SOLVER.BETAS, cfg.SOLVER.BASE_LR, cfg.SOLVER.HEAD_LR_MULT = [0.8, 0.9], 0.1, 2.0
    optimizer = build_optimizer(cfg, tiny_bmvit())
    assert isinstance(optimizer, torch.optim.AdamW) and optimizer.defaults["betas"] == (0.8, 0.9)
    assert {group["lr"] for group in optimizer.param_groups} == {0.1, 0.2}
    cfg.SOLVER.OPTIMIZING_METHOD = "sgd"
    for momentum in (0.5, 0.0):
        cfg.SOLVER.MOMENTUM = momentum
        sgd = build_optimizer(cfg, tiny_bmvit())
        assert isinstance(sgd, torch.optim.SGD)
        assert (sgd.defaults["momentum"], sgd.defaults["nesterov"]) == (momentum, momentum > 0)


def test_rates_at_the_ends_of_training():
    cfg = get_cfg()
    s = cfg.SOLVER
    s.BASE_LR, s.COSINE_END_LR, s.WARMUP_EPOCHS, s.WARMUP_START_LR, s.MAX_EPOCH = 0.2, 0.02, 1.0, 0.05, 10
    schedule = build_schedule(cfg)
    assert 0.2 * schedule.factor(0) == pytest.approx(0.05)
    assert 0.2 * schedule.factor(10) == pytest.approx(0.02)
    s.BASE_LR = 0.0
    assert build_schedule(cfg).factor(10) == pytest.approx(0.02)  # no division by zero
    s.LR_POLICY, s.STEPS, s.LRS, s.WARMUP_EPOCHS = "steps_with_relative_lrs", [0.0, 5.0], [1.0, 0.5], 0.0
    assert build_schedule(cfg).factor(7) == 0.5


def test_the_weight_average_is_off_at_zero():
    cfg = get_cfg()
    cfg.SOLVER.EMA_DECAY = 0.0
    assert build_weight_average(cfg, tiny_bmvit()) is None
    cfg.SOLVER.EMA_DECAY = 0.5
    assert build_weight_average(cfg, tiny_bmvit()).decay == 0.5
