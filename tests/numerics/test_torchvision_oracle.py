"""torchvision's MViT, with random weights of its own and loaded through our table, gives the same logits."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models.video import mvit_v1_b, mvit_v2_s

from slowfast.config import load_cfg
from slowfast.models import build_model
from slowfast.weights.load import load_weights

PAIRS = {"Kinetics/MVITv2_S_16x4": mvit_v2_s, "Kinetics/MVIT_B_16x4_CONV": mvit_v1_b}


def make_oracle(constructor, tmp_path: Path) -> tuple[nn.Module, Path]:
    torch.manual_seed(3)
    oracle = constructor().eval()
    with torch.no_grad():  # norms and positions off their initial values, so that swapping two of them shows
        for name, parameter in oracle.named_parameters():
            if parameter.ndim == 1 or "_pos" in name:
                parameter.add_(0.2 * torch.randn_like(parameter))
    path = tmp_path / "torchvision.pth"
    torch.save(oracle.state_dict(), path)
    return oracle, path


@pytest.mark.parametrize("config", PAIRS)
def test_logits_agree(repo_root, tmp_path, config):
    oracle, path = make_oracle(PAIRS[config], tmp_path)
    model = build_model(load_cfg(repo_root / "configs" / f"{config}.yaml")).eval()
    report = load_weights(model, path)
    assert report.naming == "torchvision"
    assert len(report.loaded) == len(oracle.state_dict()) == len(model.state_dict())
    clip = torch.randn(1, 3, 16, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, found = oracle(clip), model(clip)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
