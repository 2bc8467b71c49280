"""From config to optimiser, schedule and weight average; the only file of this package that sees a config."""

import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.solver.ema import WeightAverage
from slowfast.solver.param_groups import param_groups
from slowfast.solver.schedule import Schedule, cosine, steps


def build_optimizer(cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
    s = cfg.SOLVER
    groups = param_groups(
        model,
        base_lr=s.BASE_LR,
        head_lr_mult=s.HEAD_LR_MULT,
        weight_decay=s.WEIGHT_DECAY,
        decay_1d=not s.ZERO_WD_1D_PARAM,
        layer_decay=s.LAYER_DECAY,
    )
    if s.OPTIMIZING_METHOD == "sgd":
        return torch.optim.SGD(groups, lr=s.BASE_LR, momentum=s.MOMENTUM, nesterov=s.MOMENTUM > 0)
    on_gpu = next(model.parameters()).is_cuda
    return torch.optim.AdamW(groups, lr=s.BASE_LR, betas=tuple(s.BETAS), fused=on_gpu or None)


def build_schedule(cfg: CfgNode) -> Schedule:
    s = cfg.SOLVER
    base = s.BASE_LR or 1.0  # a rate of 0 stays 0 whatever the factor
    if s.LR_POLICY == "cosine":
        policy = cosine(s.MAX_EPOCH, end_factor=s.COSINE_END_LR / base)
    else:
        policy = steps(s.STEPS, s.LRS)
    return Schedule(policy, warmup_epochs=s.WARMUP_EPOCHS, warmup_start=s.WARMUP_START_LR / base)


def build_weight_average(cfg: CfgNode, model: nn.Module) -> WeightAverage | None:
    return WeightAverage(model, decay=cfg.SOLVER.EMA_DECAY) if cfg.SOLVER.EMA_DECAY else None
