"""The MViT family against PySlowFast: names and shapes of every published network, values of four of them."""

from collections.abc import Iterator
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast.config import load_cfg
from slowfast.layers import kernels
from slowfast.models import build_model
from tests.numerics.mvit_golden import GOLDEN, formula_input, formula_weights, manifest, relative_error

# The config that describes each published network, and overrides.
PUBLISHED = {
    "mvitv2_s_16x4_k400": ("Kinetics/MVITv2_S_16x4", []),
    "mvitv2_b_32x3_k400": ("Kinetics/MVITv2_B_32x3", []),
    "mvitv2_l_40x3_k400": ("Kinetics/MVITv2_L_40x3_test", []),
    "mvitv2_s_maskfeat_ft": ("Kinetics/MVITv2_S_16x4_MaskFeat_FT", []),
    "mvit_b_16x4_k400": ("Kinetics/MVIT_B_16x4_CONV", []),
    "mvit_b_32x3_k400": ("Kinetics/MVIT_B_24_32x3_CONV", []),
    "mvitv2_s_16x4_ssv2": ("SSv2/MVITv2_S_16x4", []),
    "mvitv2_b_32x3_ssv2": ("SSv2/MVITv2_B_32x3", []),
    "mvitv2_l_40x3_ssv2": ("SSv2/MVITv2_L_40x3", []),
    "mvitv2_t_in1k": ("ImageNet/MVITv2_T", []),
    "mvitv2_s_in1k": ("ImageNet/MVITv2_S", []),
    "mvitv2_b_in1k": ("ImageNet/MVITv2_B", []),
    "mvit_b_in1k": ("ImageNet/MVIT_B_16_CONV", []),
    "mvitv2_s_ava_roi": ("AVA/MVITv2_S_16x4_RoI", []),
    "bmvit_s_backbone_16x256": ("AVA/BMViT_S", ["MODEL.MODEL_NAME", "MViT", "MODEL.NUM_CLASSES", 400]),
}


def build(repo_root: Path, name: str, device: str) -> torch.nn.Module:
    config, overrides = PUBLISHED[name]
    with torch.device(device):
        return build_model(load_cfg(repo_root / "configs" / f"{config}.yaml", overrides))


def test_every_manifest_is_compared():
    assert {path.name.removesuffix(".manifest.json.gz") for path in GOLDEN.glob("*.manifest.json.gz")} == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_names_and_shapes_are_the_published_ones(repo_root, name):
    ours = {key: list(tensor.shape) for key, tensor in build(repo_root, name, "meta").state_dict().items()}
    assert ours == manifest(name)


def test_bmvit_backbone_has_the_published_names_and_shapes(repo_root):
    with torch.device("meta"):
        state = build_model(load_cfg(repo_root / "configs" / "AVA" / "BMViT_S.yaml")).backbone.state_dict()
    published = {
        key: shape for key, shape in manifest("bmvit_s_backbone_16x256").items() if not key.startswith("head.")
    }
    assert {key: list(tensor.shape) for key, tensor in state.items()} == published


WAYS = {  # type, tolerance, scope, whether oneDNN multiplies
    "float64, fused": (torch.float64, 1e-9, nullcontext, False),
    "float64, plain": (torch.float64, 1e-9, kernels.plain, False),
    "float32, fused, oneDNN": (torch.float32, 1e-5, nullcontext, True),
    "float32, fused, MKL": (torch.float32, 1e-5, nullcontext, False),
    "float32, plain, oneDNN": (torch.float32, 1e-5, kernels.plain, True),
}


def cases() -> Iterator[object]:
    """Every network in every way, one network after the other, since its weights are drawn once."""
    for name in ("mvitv2_s_16x4_k400", "mvit_b_16x4_k400", "bmvit_s_backbone_16x256", "mvitv2_t_in1k"):
        for way, settings in WAYS.items():
            # Guarded by the same values in float32, and by those of the smallest network in float64.
            slow = way.startswith("float64") and name != "mvitv2_t_in1k"
            yield pytest.param(name, *settings, id=f"{way}-{name}", marks=[pytest.mark.slow] if slow else [])


@lru_cache(maxsize=1)
def golden_and_weights(name: str) -> tuple[dict[str, np.ndarray], dict[str, torch.Tensor]]:
    """The published values, and the formula's weights of the network, which take longer to draw than to use."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        golden = dict(file)
    return golden, formula_weights(manifest(name))


@pytest.mark.parametrize("name, dtype, tolerance, scope, onednn", list(cases()))
def test_values_are_the_published_ones(repo_root, monkeypatch, name, dtype, tolerance, scope, onednn):
    monkeypatch.setattr("slowfast.layers.kernels.choice.multiplies_faster", lambda: onednn)
    golden, weights = golden_and_weights(name)
    model = build(repo_root, name, "cpu").to(dtype).eval()  # converted first, or the weights would be float32 ones
    model.load_state_dict(weights)
    clip = formula_input(tuple(golden["input_shape"])).to(dtype)
    with torch.no_grad(), scope():
        encoded = model.backbone.encode(clip)
        pooled = encoded.tokens.flatten(1, 3).mean(1) if encoded.class_token is None else encoded.class_token
        logits = model.head(pooled)
    tokens = encoded.tokens.flatten(1, 3)
    assert relative_error(tokens[:, golden["token_index"]], golden["tokens"]) < tolerance
    assert relative_error(tokens.mean(1), golden["tokens_mean_over_positions"]) < tolerance
    assert relative_error(logits, golden["logits"]) < tolerance
    if "cls_token" in golden:
        assert relative_error(encoded.class_token, golden["cls_token"]) < tolerance
