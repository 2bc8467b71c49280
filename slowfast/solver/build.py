"""From config to optimiser, schedule and weight average; the only file of this package that sees a config."""

import math

import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.solver.ema import WeightAverage
from slowfast.solver.param_groups import param_groups
from slowfast.solver.schedule import Schedule, cosine, steps


def base_rate(cfg: CfgNode) -> float:
    """SOLVER.BASE_LR, times NUM_SHARDS where the file asks for it.

    This is the only place that multiplies. A schedule gives factors of the base rate, so the rates at its two ends
    are multiplied along: their quotients with the base rate do not change.
    """
    return cfg.SOLVER.BASE_LR * (cfg.NUM_SHARDS if cfg.SOLVER.BASE_LR_SCALE_NUM_SHARDS else 1)


def build_optimizer(cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
    """Its groups carry "base_lr", which is `base_rate` times what is their own; a schedule's factor moves it."""
    s, base = cfg.SOLVER, base_rate(cfg)
    groups = param_groups(
        model,
        base_lr=base,
        head_lr_mult=s.HEAD_LR_MULT,
        weight_decay=s.WEIGHT_DECAY,
        decay_1d=not s.ZERO_WD_1D_PARAM,
        decay_positions=not cfg.MVIT.ZERO_DECAY_POS_CLS,
        layer_decay=s.LAYER_DECAY,
    )
    if s.OPTIMIZING_METHOD == "sgd":
        nesterov = s.NESTEROV and s.MOMENTUM > 0  # without momentum there is nothing to look ahead to
        return torch.optim.SGD(groups, lr=base, momentum=s.MOMENTUM, dampening=s.DAMPENING, nesterov=nesterov)
    on_gpu = next(model.parameters()).is_cuda
    return torch.optim.AdamW(groups, lr=base, betas=tuple(s.BETAS), eps=1e-8, fused=on_gpu or None)


def build_schedule(cfg: CfgNode) -> Schedule:
    """`factor(epoch)` is the learning rate of a moment over SOLVER.BASE_LR, both before NUM_SHARDS or both after."""
    s = cfg.SOLVER
    base = s.BASE_LR or 1.0  # a rate of 0 stays 0 whatever the factor
    if s.LR_POLICY == "cosine":
        begin = s.WARMUP_EPOCHS if s.COSINE_AFTER_WARMUP else 0.0
        policy = cosine(s.MAX_EPOCH, end_factor=s.COSINE_END_LR / base, begin=begin)
    else:
        policy = steps(s.STEPS, s.LRS)
    return Schedule(policy, warmup_epochs=s.WARMUP_EPOCHS, warmup_start=s.WARMUP_START_LR / base)


def build_weight_average(cfg: CfgNode, model: nn.Module) -> WeightAverage | None:
    return WeightAverage(model, decay=cfg.SOLVER.EMA_DECAY) if cfg.SOLVER.EMA_DECAY else None


def describe_rates(cfg: CfgNode, *, steps: int, clips_per_step: int) -> str:
    """One line for the log: clips of a step, steps of an epoch, the highest learning rate, and what it follows from.

    clips_per_step: of all machines, processes and micro-batches together
    """
    s, factor = cfg.SOLVER, _highest_factor(cfg)
    peak, shards = base_rate(cfg) * factor, cfg.NUM_SHARDS
    source = f"SOLVER.BASE_LR {s.BASE_LR:g}"
    if s.BASE_LR_SCALE_NUM_SHARDS:
        source += f" x NUM_SHARDS {shards}"
    if not math.isclose(factor, 1):
        source += f" x {factor:g}, the schedule's highest"
    if shards > 1 and not s.BASE_LR_SCALE_NUM_SHARDS:
        source += f"; SOLVER.BASE_LR_SCALE_NUM_SHARDS is False, so NUM_SHARDS {shards} does not multiply it"
    heads = "" if s.HEAD_LR_MULT == 1 else f", heads {s.HEAD_LR_MULT:g} times that"
    return (
        f"{clips_per_step} clips a step over all machines, {steps} steps an epoch; learning rate {peak:g} at its peak "
        f"({source}), {peak / clips_per_step:g} a clip{heads}"
    )


def _highest_factor(cfg: CfgNode) -> float:
    """Of the schedule: it rises only in the warm-up and where a step begins."""
    s, schedule = cfg.SOLVER, build_schedule(cfg)
    begins = s.STEPS if s.LR_POLICY == "steps_with_relative_lrs" else ()
    moments = [0.0, s.WARMUP_EPOCHS, *(epoch for epoch in begins if epoch < s.MAX_EPOCH)]
    return max(map(schedule.factor, moments))
