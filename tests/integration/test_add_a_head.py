"""GETTING_STARTED's "Add a head" works as printed: a module of one's own, named in MODEL.IMPORTS."""

import re
from pathlib import Path

import torch

from slowfast.config import load_cfg
from slowfast.models import build_model
from slowfast.structures.outputs.predictions import Predictions


def test_the_head_of_the_guide_registers_builds_and_predicts(repo_root: Path, toy_config, tmp_path, monkeypatch):
    guide = (repo_root / "GETTING_STARTED.md").read_text(encoding="utf-8")
    (source,) = [block for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "WideHeads" in block]
    (tmp_path / "my_wide_heads.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    cfg = load_cfg(toy_config, ["MODEL.MODEL_NAME", "WideHeads", "MODEL.IMPORTS", "[my_wide_heads]"])
    predictions = build_model(cfg)(torch.zeros(1, 3, 8, 64, 80))
    assert isinstance(predictions, Predictions) and predictions.boxes.shape == (1, 80, 4)
