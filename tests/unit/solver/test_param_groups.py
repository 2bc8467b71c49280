"""slowfast.solver.param_groups: every parameter once, who decays, and rates by hand."""

from collections import Counter

import pytest
import torch
from torch import nn

from slowfast.config import load_cfg
from slowfast.models import build_model
from slowfast.solver.build import build_optimizer
from slowfast.solver.param_groups import layer_among, layer_of, param_groups
from tests.rules.sources import ROOT
from tests.unit.models.tiny import tiny_bmvit

# Made before position tables could decay: (name, parameters, base_lr, weight_decay).
TOY_GROUPS = [
    ("backbone x1", 37, 0.002, 0.0001),
    ("backbone x1, no decay", 89, 0.002, 0.0),
    ("heads x1", 9, 0.002, 0.0001),
    ("heads x1, no decay", 9, 0.002, 0.0),
]


def full_model() -> nn.Module:
    return tiny_bmvit(aux=True, class_token=True, position="separable")


def by_name(model: nn.Module, groups: list[dict]) -> dict[str, dict]:
    """{parameter name: its group}"""
    owner = {id(p): group for group in groups for p in group["params"]}
    return {name: owner[id(p)] for name, p in model.named_parameters() if id(p) in owner}


@pytest.mark.parametrize("layer_decay", [1.0, 0.7])
@pytest.mark.parametrize("decay_1d", [False, True])
def test_every_trainable_parameter_is_in_exactly_one_group(layer_decay, decay_1d):
    model = full_model()
    model.heads.actor[0].bias.requires_grad_(False)
    groups = param_groups(
        model, base_lr=1.0, head_lr_mult=3.0, weight_decay=0.1, layer_decay=layer_decay, decay_1d=decay_1d
    )
    counted = Counter(id(p) for group in groups for p in group["params"])
    assert counted == Counter(id(p) for p in model.parameters() if p.requires_grad)
    assert len({group["name"] for group in groups}) == len(groups)


def test_norms_biases_and_positions_do_not_decay():
    model = full_model()
    groups = by_name(model, param_groups(model, base_lr=1.0, weight_decay=0.1))
    kinds = {"norm": 0, "bias": 0, "rel_pos": 0, "position": 0, "cls_token": 0}
    for name, group in groups.items():
        matched = [kind for kind in kinds if kind in name]
        for kind in matched:
            kinds[kind] += 1
        assert group["weight_decay"] == (0.0 if matched else 0.1), name
    assert min(kinds.values()) >= 1  # each of them was met
    assert groups["backbone.blocks.0.attn.qkv.weight"]["weight_decay"] == 0.1
    assert groups["backbone.patch_embed.proj.weight"]["weight_decay"] == 0.1
    assert groups["heads.box.0.weight"]["weight_decay"] == 0.1


def test_decay_of_1d_parameters_still_spares_positions():
    model = full_model()
    groups = by_name(model, param_groups(model, base_lr=1.0, weight_decay=0.1, decay_1d=True))
    assert groups["backbone.norm.weight"]["weight_decay"] == groups["heads.box.0.bias"]["weight_decay"] == 0.1
    spared = {name for name, group in groups.items() if group["weight_decay"] == 0}
    assert spared == {n for n in groups if "rel_pos" in n or "position." in n or "cls_token" in n}


@pytest.mark.parametrize("layer_decay", [1.0, 0.7])
def test_positions_and_class_token_decay_when_asked(layer_decay):
    model = full_model()
    options = {"weight_decay": 0.1, "decay_positions": True, "layer_decay": layer_decay}
    for decay_1d in (False, True):
        groups = by_name(model, param_groups(model, base_lr=1.0, decay_1d=decay_1d, **options))
        spared = {name for name, group in groups.items() if group["weight_decay"] == 0}
        assert spared == (set() if decay_1d else {n for n, p in model.named_parameters() if p.ndim == 1})


@pytest.mark.parametrize("position", ["separable", "joint"])
def test_with_layer_decay_only_whole_names_are_spared(position):
    model = tiny_bmvit(class_token=True, position=position)
    groups = by_name(model, param_groups(model, base_lr=1.0, weight_decay=0.1, decay_1d=True, layer_decay=0.7))
    spared = {name for name, group in groups.items() if group["weight_decay"] == 0}
    tables = {"separable": ("spatial", "temporal", "class_position"), "joint": ("table",)}[position]
    assert spared == {"backbone.cls_token", *(f"backbone.position.{table}" for table in tables)}
    assert groups["backbone.blocks.0.attn.rel_pos_h"]["weight_decay"] == 0.1


def test_a_bias_of_any_shape_is_a_bias():
    model = nn.ModuleDict({"scale": nn.ParameterDict({"bias": nn.Parameter(torch.zeros(1, 2, 1))})})
    (group,) = param_groups(model, base_lr=1.0, weight_decay=0.1)
    assert group["weight_decay"] == 0


def test_groups_of_the_toy_detector_are_what_they_were():
    cfg = load_cfg(ROOT / "configs/Toy/BMViT_toy.yaml")
    with torch.device("meta"):
        model = build_model(cfg)
    groups = build_optimizer(cfg, model).param_groups
    assert [(g["name"], len(g["params"]), g["base_lr"], g["weight_decay"]) for g in groups] == TOY_GROUPS
    assert [id(p) for p in groups[0]["params"]] == [
        id(p) for n, p in model.named_parameters() if n.startswith("backbone.") and p.ndim > 1 and "rel_pos" not in n
    ]


def test_rates_by_hand():
    model = full_model()
    groups = by_name(model, param_groups(model, base_lr=0.01, head_lr_mult=8.0, layer_decay=0.5))
    # Two blocks: the last norm has nothing above it, block 1 the norm, block 0 block 1 too, and so on.
    expected = {
        "backbone.norm.weight": 0.01,
        "backbone.blocks.1.attn.qkv.weight": 0.005,
        "backbone.blocks.0.norm1.weight": 0.0025,
        "backbone.patch_embed.proj.weight": 0.00125,
        "backbone.cls_token": 0.00125,
        "backbone.position.spatial": 0.00125,
        "heads.box.0.weight": 0.08,
        "aux_heads.0.actor.0.weight": 0.08,
        "aux_norms.0.weight": 0.08,
    }
    for name, rate in expected.items():
        assert groups[name]["lr"] == groups[name]["base_lr"] == pytest.approx(rate), name


def test_layers_count_blocks_with_two_digits():
    assert layer_of("backbone.blocks.12.mlp.fc1.weight", 16) == 13
    assert layer_of("backbone.norm.bias", 16) == 17 and layer_of("heads.box.0.weight", 16) == 17


def test_torch_optimisers_take_the_groups():
    model = full_model()
    optimizer = torch.optim.AdamW(param_groups(model, base_lr=0.1, weight_decay=0.1), lr=1.0)
    assert {group["lr"] for group in optimizer.param_groups} == {0.1}


def test_a_backbone_that_lists_its_layers():
    """An image network below the blocks learns slower, layer by layer: 17 layers of it, what joins them, two blocks."""
    cfg = load_cfg(ROOT / "configs/JHMDB/BMViT_lite.yaml", ["MODEL.FREEZE", [], "DATA.FEATURE_VIEWS", 0])
    with torch.device("meta"):
        model = build_model(cfg)
    groups = by_name(model, param_groups(model, base_lr=1.0, layer_decay=0.5, head_lr_mult=3.0))
    rates = {
        "heads.box.0.weight": 3.0,
        "backbone.norm.weight": 1.0,
        "backbone.blocks.1.norm1.weight": 0.5,
        "backbone.blocks.0.attn.qkv.weight": 0.25,
        "backbone.motion.change.weight": 0.125,
        "backbone.frames.blocks.15.project.conv.weight": 0.5**4,
        "backbone.frames.blocks.1.project.conv.weight": 0.5**18,
        "backbone.frames.blocks.0.project.conv.weight": 0.5**19,
        "backbone.frames.stem.conv.weight": 0.5**20,
    }
    assert {name: groups[name]["base_lr"] for name in rates} == pytest.approx(rates)
    layers = model.backbone.layers
    left_out = {n for n, _ in model.named_parameters() if n.startswith("backbone.") and layer_among(n, layers) == 20}
    assert left_out == {"backbone.norm.weight", "backbone.norm.bias"}
    assert layer_among("heads.frames.stem.", layers) == 20
