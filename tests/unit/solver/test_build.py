"""slowfast.solver.build: what the keys of SOLVER become."""

import pytest
import torch

from slowfast.config import get_cfg
from slowfast.solver.build import build_optimizer, build_schedule, build_weight_average, describe_rates
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


def test_the_keys_of_adamw_and_sgd_reach_them():
    cfg = get_cfg()
    assert build_optimizer(cfg, tiny_bmvit()).defaults["eps"] == 1e-8
    cfg.SOLVER.OPTIMIZING_METHOD = "sgd"
    usual = build_optimizer(cfg, tiny_bmvit()).param_groups[0]
    assert (usual["momentum"], usual["nesterov"], usual["dampening"]) == (0.9, True, 0)
    cfg.SOLVER.NESTEROV, cfg.SOLVER.DAMPENING = False, 0.25
    for group in build_optimizer(cfg, tiny_bmvit()).param_groups:
        assert (group["momentum"], group["nesterov"], group["dampening"]) == (0.9, False, 0.25)


def test_positions_decay_as_the_key_says():
    cfg, model = get_cfg(), tiny_bmvit(class_token=True)
    for spared in (True, False):
        cfg.MVIT.ZERO_DECAY_POS_CLS = spared
        decay = {p: g["weight_decay"] for g in build_optimizer(cfg, model).param_groups for p in g["params"]}
        tables = (model.backbone.cls_token, model.backbone.blocks[0].attn.rel_pos_h)
        assert [decay[table] for table in tables] == [0.0 if spared else 1e-4] * 2


def test_machines_multiply_every_rate_once():
    cfg = get_cfg()
    s = cfg.SOLVER
    s.BASE_LR, s.COSINE_END_LR, s.WARMUP_EPOCHS, s.WARMUP_START_LR, s.MAX_EPOCH = 0.2, 0.02, 1.0, 0.05, 10
    s.COSINE_AFTER_WARMUP, s.HEAD_LR_MULT, cfg.NUM_SHARDS = True, 3.0, 4
    for scaled, machines in ((False, 1), (True, 4)):
        s.BASE_LR_SCALE_NUM_SHARDS = scaled
        model = tiny_bmvit()
        optimizer, schedule = build_optimizer(cfg, model), build_schedule(cfg)
        heads = optimizer.param_groups[-1]
        for epoch, rate in ((0, 0.05), (1, 0.2), (5.5, 0.11), (10, 0.02)):
            assert schedule.apply(optimizer, epoch) == pytest.approx(rate / 0.2)  # a factor, whatever the machines
            assert optimizer.param_groups[0]["lr"] == pytest.approx(machines * rate)
            assert heads["lr"] == pytest.approx(3 * machines * rate)
        again = build_optimizer(cfg, model)  # multiplies nothing again
        assert again.param_groups[0]["base_lr"] == machines * 0.2 and s.BASE_LR == 0.2


def test_what_the_log_says_of_the_rates():
    cfg = get_cfg()
    s = cfg.SOLVER
    s.BASE_LR, s.MAX_EPOCH, s.WARMUP_EPOCHS, s.COSINE_AFTER_WARMUP = 1e-4, 200, 30.0, True
    assert describe_rates(cfg, steps=937, clips_per_step=16) == (
        "16 clips a step over all machines, 937 steps an epoch; learning rate 0.0001 at its peak "
        "(SOLVER.BASE_LR 0.0001), 6.25e-06 a clip"
    )
    cfg.NUM_SHARDS, s.BASE_LR_SCALE_NUM_SHARDS, s.HEAD_LR_MULT = 16, True, 8.0
    assert describe_rates(cfg, steps=58, clips_per_step=256) == (
        "256 clips a step over all machines, 58 steps an epoch; learning rate 0.0016 at its peak "
        "(SOLVER.BASE_LR 0.0001 x NUM_SHARDS 16), 6.25e-06 a clip, heads 8 times that"
    )
    s.BASE_LR_SCALE_NUM_SHARDS = False
    unscaled = "SOLVER.BASE_LR 0.0001; SOLVER.BASE_LR_SCALE_NUM_SHARDS is False, so NUM_SHARDS 16 does not multiply it"
    assert f"learning rate 0.0001 at its peak ({unscaled})" in describe_rates(cfg, steps=1, clips_per_step=1)


def test_the_peak_is_where_the_schedule_has_it():
    cfg = get_cfg()
    s = cfg.SOLVER
    s.BASE_LR, s.MAX_EPOCH, s.WARMUP_EPOCHS, s.WARMUP_START_LR = 0.2, 10, 5.0, 0.01

    def peak() -> str:
        return describe_rates(cfg, steps=1, clips_per_step=2).split("learning rate ")[1]

    assert peak() == "0.1 at its peak (SOLVER.BASE_LR 0.2 x 0.5, the schedule's highest), 0.05 a clip"
    s.WARMUP_EPOCHS = 10.0  # as long as training
    s.COSINE_AFTER_WARMUP = True
    assert peak().startswith("0.2 at its peak (SOLVER.BASE_LR 0.2), 0.1 a clip")
    s.WARMUP_EPOCHS, s.LR_POLICY, s.STEPS, s.LRS = 0.0, "steps_with_relative_lrs", [0, 4, 10], [1, 2, 9]
    assert peak().startswith("0.4 at its peak (SOLVER.BASE_LR 0.2 x 2, the schedule's highest)")  # 10 is never reached


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
