"""Rates and parameter groups are PySlowFast's: tests/golden/classification."""

import json

import pytest
import torch
from torch import nn

from slowfast.config import get_cfg, load_cfg
from slowfast.models import build_model
from slowfast.solver.build import build_optimizer, build_schedule
from tests.rules.sources import ROOT

GOLDEN = ROOT / "tests/golden/classification"
RATES = json.loads((GOLDEN / "lr_schedule.json").read_text())
GROUPS = json.loads((GOLDEN / "param_groups.json").read_text())
OURS = {
    "k400_mvitv2_s": "configs/Kinetics/MVITv2_S_16x4.yaml",
    "maskfeat_ft_s": "configs/Kinetics/MVITv2_S_16x4_MaskFeat_FT.yaml",
}


def rates(entry: str, *, shards: int | None = None) -> tuple[list[float], list[float]]:
    """(ours, PySlowFast's); with `shards` machines and scaling."""
    golden = RATES[entry]
    cfg = get_cfg()
    for key, value in golden.items():
        if key.isupper():
            cfg.SOLVER[key] = value
    cfg.SOLVER.COSINE_AFTER_WARMUP = entry.endswith("after_warmup=True")
    cfg.SOLVER.LR_POLICY = "steps_with_relative_lrs" if entry == "steps" else "cosine"
    if shards is not None:
        cfg.SOLVER.BASE_LR_SCALE_NUM_SHARDS, cfg.NUM_SHARDS = True, shards
    optimizer, schedule, ours = build_optimizer(cfg, nn.Linear(1, 1)), build_schedule(cfg), []
    for epoch in golden["epoch"]:
        factor = schedule.apply(optimizer, epoch)
        assert factor == schedule.factor(epoch)
        ours += {group["lr"] for group in optimizer.param_groups}
    return ours, golden["lr"]


@pytest.mark.parametrize("entry", RATES)
def test_learning_rates(entry):
    ours, golden = rates(entry)
    assert ours == pytest.approx(golden, rel=1e-12, abs=0)
    assert len(golden) >= 10


@pytest.mark.parametrize("entry", RATES)
def test_learning_rates_on_several_machines(entry):
    ours, golden = rates(entry, shards=16)
    assert ours == pytest.approx([16 * rate for rate in golden], rel=1e-12, abs=0)


def test_both_meanings_of_the_cosine_are_among_them():
    assert [entry for entry in RATES if "|" not in entry] == ["steps"]
    configs = {entry.split("|")[0] for entry in RATES if "|" in entry}
    assert len(configs) >= 4
    for name in configs:
        assert RATES[f"{name}|after_warmup=True"]["lr"] != RATES[f"{name}|after_warmup=False"]["lr"]


@pytest.mark.parametrize("entry", GROUPS)
def test_parameter_groups(entry):
    name, setting = entry.split("|")
    cfg = load_cfg(ROOT / OURS[name], setting.replace("ZERO", "MVIT.ZERO").split("="))
    with torch.device("meta"):
        model = build_model(cfg)
    # A state dict publishes the names that PySlowFast's parameters have.
    published = {id(p): published for published, p in model.state_dict(keep_vars=True).items()}
    found = {
        published[id(p)]: (group["base_lr"] / cfg.SOLVER.BASE_LR, group["weight_decay"])
        for group in build_optimizer(cfg, model).param_groups
        for p in group["params"]
    }
    assert found.keys() == GROUPS[entry].keys()
    for parameter, (scale, decay) in GROUPS[entry].items():
        assert found[parameter] == (pytest.approx(scale, rel=1e-12), decay), parameter


def test_relative_positions_change_class_with_layer_decay():
    """What PySlowFast's two ways to compare names come to; the golden values hold it."""
    for name, decay in (("k400_mvitv2_s", 0.0), ("maskfeat_ft_s", 0.05)):
        tables = {p: d for p, (_, d) in GROUPS[f"{name}|ZERO_DECAY_POS_CLS=True"].items() if "rel_pos" in p}
        assert len(tables) == 48 and set(tables.values()) == {decay}
