"""The classification configs train as published: PySlowFast's values after its defaults, config by config."""

import pytest

from slowfast.config import load_cfg
from tests.rules.sources import ROOT

# What all of them share.
ALL = {
    "COSINE_AFTER_WARMUP": True,
    "BASE_LR_SCALE_NUM_SHARDS": True,
    "ZERO_WD_1D_PARAM": True,
    "LR_POLICY": "cosine",
    "HEAD_LR_MULT": 1.0,
    "CLIP_GRAD_VAL": 0.0,
    "EMA_DECAY": 0.0,
    "BETAS": [0.9, 0.999],
    "MOMENTUM": 0.9,
    "NESTEROV": True,
    "DAMPENING": 0.0,
}
COLUMNS = (
    *("OPTIMIZING_METHOD", "BASE_LR", "WARMUP_START_LR", "COSINE_END_LR", "MAX_EPOCH", "WARMUP_EPOCHS"),
    *("WEIGHT_DECAY", "CLIP_GRAD_L2NORM", "LAYER_DECAY"),
)
K400 = ("adamw", 1e-4, 1e-6, 1e-6, 200, 30, 0.05, 1.0, 1.0)
IN1K = ("adamw", 2.5e-4, 1e-8, 1e-6, 300, 70, 0.05, 1.0, 1.0)
# Config: (TRAIN.BATCH_SIZE, MVIT.DROPPATH_RATE, the columns)
PUBLISHED = {
    "Kinetics/MVIT_B_16x4_CONV": (16, 0.2, K400),
    "Kinetics/MVIT_B_24_32x3_CONV": (16, 0.3, K400),
    "Kinetics/MVIT_B_32x3_CONV": (16, 0.3, K400),
    "Kinetics/MVIT_B_64x3_CONV": (16, 0.3, K400),
    "Kinetics/MVITv2_S_16x4": (16, 0.2, K400),
    "Kinetics/MVITv2_B_32x3": (16, 0.3, K400),
    "Kinetics/MVITv2_S_16x4_MaskFeat_FT": (16, 0.1, ("adamw", 6e-4, 1e-6, 1e-6, 100, 20, 0.05, 5.0, 0.75)),
    "SSv2/MVITv2_S_16x4": (16, 0.4, ("sgd", 2.5e-3, 1e-4, 1e-6, 100, 3, 1e-4, 0.0, 1.0)),
    "SSv2/MVITv2_B_32x3": (16, 0.4, ("sgd", 1.5e-3, 1e-4, 1e-6, 100, 3, 1e-4, 0.0, 1.0)),
    "SSv2/MVITv2_L_40x3": (8, 0.75, ("sgd", 1.25e-3, 1e-6, 1e-6, 40, 3, 1e-4, 2.0, 1.0)),
    "ImageNet/MVIT_B_16_CONV": (256, 0.1, IN1K),
    "ImageNet/MVITv2_T": (256, 0.1, IN1K),
    "ImageNet/MVITv2_S": (256, 0.1, IN1K),
    "ImageNet/MVITv2_B": (256, 0.3, IN1K),
}
TEST_ONLY = "Kinetics/MVITv2_L_40x3_test"


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_config_trains_as_published(name):
    cfg = load_cfg(ROOT / f"configs/{name}.yaml")
    batch_size, drop_path, values = PUBLISHED[name]
    wanted = {**ALL, **dict(zip(COLUMNS, values, strict=True))}
    assert {key: cfg.SOLVER[key] for key in wanted} == wanted
    assert (batch_size, drop_path) == (cfg.TRAIN.BATCH_SIZE, cfg.MVIT.DROPPATH_RATE)
    assert cfg.MVIT.ZERO_DECAY_POS_CLS is False and cfg.NUM_SHARDS == 1


def test_every_classification_config_is_compared():
    folders = ("Kinetics", "SSv2", "ImageNet")
    found = {f"{folder}/{path.stem}" for folder in folders for path in (ROOT / "configs" / folder).glob("*.yaml")}
    assert {TEST_ONLY} < found and set(PUBLISHED) | {TEST_ONLY} == found


@pytest.mark.parametrize("name", ["AVA/MVIT_B_16x4_RoI", "AVA/MVITv2_S_16x4_RoI"])
def test_detectors_do_not_inherit_the_recipe_of_their_classifier(name):
    cfg = load_cfg(ROOT / f"configs/{name}.yaml")
    s = cfg.SOLVER
    assert not s.COSINE_AFTER_WARMUP and not s.BASE_LR_SCALE_NUM_SHARDS and cfg.MVIT.ZERO_DECAY_POS_CLS
    assert (s.HEAD_LR_MULT, s.CLIP_GRAD_L2NORM) == (1.0, 1.0)


def test_detectors_say_what_the_defaults_no_longer_say():
    paths = [ROOT / f"configs/AVA/BMViT_{name}.yaml" for name in ("S", "B", "MViTv1_B", "ViT_B")]
    paths += [ROOT / f"configs/{name}/BMViT_S.yaml" for name in ("JHMDB", "UCF24")]
    for path in paths:
        cfg = load_cfg(path)
        assert (cfg.SOLVER.HEAD_LR_MULT, cfg.SOLVER.CLIP_GRAD_L2NORM) == (8.0, 1.0), path.name
