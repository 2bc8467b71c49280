from pathlib import Path

import pytest
import torch
from torch import nn

from slowfast.config import load_cfg
from slowfast.engine.record import summary
from slowfast.engine.record.summary import count_macs, model_summary

REPO = Path(__file__).resolve().parents[4]


def test_a_linear_layer_and_a_norm_by_hand():
    model = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6)).to("meta")
    macs, output = count_macs(model, torch.empty(3, 4, device="meta"))
    assert macs == 3 * 4 * 6 + 5 * 3 * 6  # fvcore takes 5 operations per normed element
    assert output.shape == (3, 6)


@pytest.mark.long
def test_bmvit_s():
    found = model_summary(load_cfg(REPO / "configs" / "AVA" / "BMViT_S.yaml"))
    assert found.token_grid == (8, 16, 16) and found.channels == 768
    assert found.parts["backbone"].gmacs == pytest.approx(110, rel=0.02)
    heads = 256 * (3 * (768 * 768 * 2) + 768 * (4 + 2 + 80)) / 1e9
    assert found.parts["heads"].gmacs == pytest.approx(heads, rel=1e-6)
    assert found.gmacs == pytest.approx(found.parts["backbone"].gmacs + heads)
    assert str(found) == (
        "BMViT: 37.86 M parameters, 111.23 GMACs per clip of 16x256x256 (backbone 34.25 M and 110.31 G, "
        "heads 3.61 M and 0.92 G); tokens 8x16x16 of 768 channels"
    )


@pytest.mark.long
def test_the_two_stage_model_counts_one_box():
    found = model_summary(load_cfg(REPO / "configs" / "AVA" / "MVITv2_S_16x4_RoI.yaml"))
    assert found.gmacs == pytest.approx(64.5, rel=0.01)
    assert found.parts["heads"].gmacs == pytest.approx(768 * 80 / 1e9, rel=1e-6)


def test_a_model_without_a_backbone_is_told_what_is_expected(monkeypatch, repo_root):
    monkeypatch.setattr(summary, "build_model", lambda cfg: nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    cfg = load_cfg(repo_root / "configs/Toy/BMViT_toy.yaml")
    with pytest.raises(
        ValueError, match=r"^the model of MODEL.MODEL_NAME BMViT \(Sequential\) has no `backbone`"
    ) as error:
        model_summary(cfg)
    assert "(its parts: 0, 1): keep the module that turns clips into tokens as self.backbone" in str(error.value)
