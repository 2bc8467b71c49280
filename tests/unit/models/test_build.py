import sys
import textwrap
from pathlib import Path

import pytest
import torch

from slowfast.config import load_cfg
from slowfast.models import build_model
from slowfast.models.build import BACKBONE_REGISTRY
from slowfast.structures.outputs.predictions import Predictions

REPO = Path(__file__).resolve().parents[3]
TOY = REPO / "configs" / "Toy" / "BMViT_toy.yaml"

# What GETTING_STARTED shows: a backbone is a class that keeps two promises, and one decorated function.
OWN_BACKBONE = '''
    from torch import nn

    from slowfast.models.build import register_backbone


    class Blocks(nn.Module):
        """Averages 2 x 8 x 8 pixels and mixes the colours."""

        stride = (2, 8, 8)

        def __init__(self, dim):
            super().__init__()
            self.dim = dim
            self.pool = nn.AvgPool3d(self.stride)
            self.mix = nn.Linear(3, dim)

        def forward(self, clips):
            return self.mix(self.pool(clips).permute(0, 2, 3, 4, 1))


    @register_backbone("Blocks")
    def build_blocks(cfg):
        return Blocks(cfg.MVIT.EMBED_DIM)
'''


@pytest.fixture
def own_backbone(tmp_path, monkeypatch):
    (tmp_path / "own_blocks.py").write_text(textwrap.dedent(OWN_BACKBONE))
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    BACKBONE_REGISTRY._obj_map.pop("Blocks", None)
    sys.modules.pop("own_blocks", None)


def test_a_new_backbone_is_a_file_and_a_yaml(own_backbone):
    yaml = own_backbone / "blocks.yaml"
    yaml.write_text(f"_BASE_: {TOY}\nMODEL:\n  BACKBONE: Blocks\n  IMPORTS: [own_blocks]\n")
    model = build_model(load_cfg(yaml))
    predictions = model(torch.randn(1, 3, 8, 64, 80))
    assert isinstance(predictions, Predictions)
    assert predictions.boxes.shape == (1, 8 * 10, 4)
    predictions.action_logits.sum().backward()
    assert model.backbone.mix.weight.grad is not None


def test_a_backbone_without_blocks_has_no_auxiliary_heads(own_backbone):
    cfg = load_cfg(TOY, ["MODEL.BACKBONE", "Blocks", "MODEL.IMPORTS", "[own_blocks]", "BMVIT.AUX_BLOCKS", "[1]"])
    with pytest.raises(ValueError, match=r"BMVIT.AUX_BLOCKS \(\[1\]\) needs a backbone with `encode`; Blocks has none"):
        build_model(cfg)


def test_unknown_names():
    with pytest.raises(
        ValueError, match=r"MODEL.BACKBONE 'Wagon' is not registered; known: \[.*'MViT', 'ViT'.*MODEL.IMPORTS"
    ):
        build_model(load_cfg(TOY, ["MODEL.BACKBONE", "Wagon"]))
    with pytest.raises(ValueError, match=r"MODEL.MODEL_NAME 'Wagon' is not registered; known: \['BMViT', 'MViT'"):
        build_model(load_cfg(TOY, ["MODEL.MODEL_NAME", "Wagon"]))
    with pytest.raises(
        ValueError, match=r"MODEL.IMPORTS: cannot import 'no_such_file' .* is its folder on PYTHONPATH\?"
    ):
        build_model(load_cfg(TOY, ["MODEL.IMPORTS", "[no_such_file]"]))


def test_a_plain_vit_refuses_keys_that_would_do_nothing():
    vit = REPO / "configs" / "AVA" / "BMViT_ViT_B.yaml"
    with pytest.raises(ValueError, match=r"one stage and no pooling; leave out MVIT\.POOL_Q_STRIDE or choose MViT"):
        build_model(load_cfg(vit, ["MVIT.POOL_Q_STRIDE", "[[1, 1, 2, 2]]"]))
    with pytest.raises(
        ValueError, match=r"MVIT.PATCH_KERNEL \(\[2, 16, 16\]\) must equal MVIT.PATCH_STRIDE \(\[2, 8, 8\]\)"
    ):
        build_model(load_cfg(vit, ["MVIT.PATCH_STRIDE", "[2, 8, 8]"]))


@pytest.mark.parametrize("config", ["AVA/BMViT_ViT_B", "AVA/BMViT_MViTv1_B", "AVA/BMViT_S", "AVA/BMViT_B"])
def test_bmvit_on_every_backbone_sees_its_tokens(config):
    with torch.device("meta"):
        cfg = load_cfg(REPO / "configs" / f"{config}.yaml")
        predictions = build_model(cfg).eval()(torch.empty(2, 3, cfg.DATA.NUM_FRAMES, 256, 256))
    assert predictions.boxes.shape == (2, 256, 4)
    assert predictions.action_logits.shape == (2, 256, 80)
