from pathlib import Path

import pytest
import torch

from slowfast.commands.networks import convert_weights
from slowfast.config import load_cfg
from slowfast.models import build_model
from slowfast.weights.file import read_weight_file
from slowfast.weights.load import load_weights
from tests.unit.models import foreign_names

REPO = Path(__file__).resolve().parents[3]
SMALL = REPO / "configs" / "Toy" / "BMViT_toy.yaml"
AS_CLASSIFIER = ["MODEL.MODEL_NAME", "MViT"]


@pytest.fixture(scope="module")
def tool():
    return convert_weights


@pytest.mark.parametrize("suffix", [".pyth", ".safetensors"])
def test_foreign_weights_become_ours_and_load_back(tool, tmp_path, capsys, suffix):
    model = build_model(load_cfg(SMALL, AS_CLASSIFIER)).eval()
    torch.save({"state_dict": foreign_names.mmaction2(model.state_dict())}, tmp_path / "in.pth")
    out = tmp_path / f"out{suffix}"
    options = ["--cfg", str(SMALL), "--weights", str(tmp_path / "in.pth"), "--out", str(out)]
    assert tool.main([*options, *AS_CLASSIFIER]) == 0
    printed = capsys.readouterr().out
    assert "names of mmaction2" in printed and f"wrote {out}" in printed
    copy = build_model(load_cfg(SMALL, AS_CLASSIFIER)).eval()
    report = load_weights(copy, out)
    assert report.complete and not report.renamed
    clip = torch.randn(1, 3, 8, 64, 80)
    assert torch.equal(model(clip), copy(clip))
    assert "MODEL_NAME: MViT" in read_weight_file(out).config


@pytest.mark.parametrize(
    "out, message",
    [
        ("out.pyth", "does not fit the model"),
        ("out.onnx", r"out.onnx must end in .pyth or .safetensors"),
        ("there.pyth", r"there.pyth exists already; choose another name"),
    ],
)
def test_errors_write_nothing(tool, tmp_path, capsys, out, message):
    torch.save({"state_dict": {"x": torch.ones(1)}}, tmp_path / "in.pth")
    (tmp_path / "there.pyth").write_text("mine")
    assert tool.main(["--cfg", str(SMALL), "--weights", str(tmp_path / "in.pth"), "--out", str(tmp_path / out)]) == 1
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.pth", "there.pyth"]
    assert (tmp_path / "there.pyth").read_text() == "mine"
