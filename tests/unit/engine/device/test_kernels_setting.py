"""MODEL.KERNELS: the choices of the config are those of the layers, and a run sets it before it builds a model."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from slowfast.config import load_cfg
from slowfast.engine import run as module
from slowfast.layers.kernels import SETTINGS, choice

TOY = Path(__file__).resolve().parents[4] / "configs/Toy/BMViT_toy.yaml"


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_run_sets_it_before_it_builds_a_model(monkeypatch, tmp_path, setting):
    class Stop(Exception):
        pass

    found = []

    def stop(cfg):
        found.append(choice._setting)
        raise Stop

    monkeypatch.setattr(choice, "_setting", "plain" if setting == "measured" else "measured")
    monkeypatch.setattr(module, "model_summary", stop)
    monkeypatch.setattr(
        module, "build_task", lambda cfg: SimpleNamespace(cfg=cfg, known_names=None)
    )  # which would read the data
    with pytest.raises(Stop):
        module.run(load_cfg(TOY, ["OUTPUT_DIR", str(tmp_path), "MODEL.KERNELS", setting]), torch.device("cpu"))
    assert found == [setting]


def test_measured_is_the_default_and_others_are_refused():
    assert load_cfg(TOY).MODEL.KERNELS == "measured"
    with pytest.raises(ValueError, match=r"MODEL\.KERNELS"):
        load_cfg(TOY, ["MODEL.KERNELS", "fast"])
