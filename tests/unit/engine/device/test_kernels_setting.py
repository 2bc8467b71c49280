"""MODEL.KERNELS and DEPTHWISE: their choices are those of the layers, and a run sets them before it builds a model."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from slowfast.config import load_cfg
from slowfast.engine import run as module
from slowfast.engine.device import same_kernels
from slowfast.engine.device.precision import Precision
from slowfast.engine.device.same_kernels import agree_on_kernels
from slowfast.layers import kernels
from slowfast.layers.kernels import SETTINGS, choice
from slowfast.layers.kernels.depthwise.check import Checked
from tests.unit.models.tiny import tiny_bmvit

TOY = Path(__file__).resolve().parents[4] / "configs/Toy/BMViT_toy.yaml"


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_run_sets_it_before_it_builds_a_model(monkeypatch, tmp_path, setting):
    class Stop(Exception):
        pass

    found = []

    def stop(cfg):
        found.append((choice._setting, choice._depthwise))
        raise Stop

    monkeypatch.setattr(choice, "_setting", "plain" if setting == "measured" else "measured")
    monkeypatch.setattr(module, "model_summary", stop)
    monkeypatch.setattr(
        module, "build_task", lambda cfg: SimpleNamespace(cfg=cfg, known_names=None)
    )  # which would read the data
    with pytest.raises(Stop):
        module.run(
            load_cfg(TOY, ["OUTPUT_DIR", str(tmp_path), "MODEL.KERNELS", setting, "MODEL.DEPTHWISE", "triton"]),
            torch.device("cpu"),
        )
    assert found == [(setting, "triton")]


def test_measured_is_the_default_and_others_are_refused():
    assert load_cfg(TOY).MODEL.KERNELS == "measured"
    with pytest.raises(ValueError, match=r"MODEL\.KERNELS"):
        load_cfg(TOY, ["MODEL.KERNELS", "fast"])


def test_of_a_run_without_a_gpu_nothing_is_compared_and_all_agree(monkeypatch):
    asked = []
    monkeypatch.setattr(same_kernels.distributed, "gather_objects", lambda value: asked.append(value) or [value])
    agree_on_kernels(tiny_bmvit(), torch.device("cpu"), Precision())
    assert asked == [""]


@pytest.mark.parametrize("required", [False, True])
def test_where_one_process_finds_a_wrong_kernel_all_take_pytorchs(monkeypatch, caplog, required):
    others = Checked(lambda: None)
    others.required = required
    monkeypatch.setattr(choice, "TRITON", others)
    monkeypatch.setattr(same_kernels.distributed, "gather_objects", lambda value: [value, "it is off", "it is off"])
    with pytest.raises(ValueError, match="process 1: it is off") if required else nullcontext():
        agree_on_kernels(tiny_bmvit(), torch.device("cpu"), Precision("bf16"))
    if not required:
        assert others.refused == "process 1: it is off" and "not used, process 1: it is off" in caplog.text


def test_the_kernels_of_the_precision_are_compared(monkeypatch):
    compared = []
    monkeypatch.setattr(choice.TRITON, "check", lambda poolings, device: compared.extend(poolings) or "")
    agree_on_kernels(tiny_bmvit(), torch.device("cuda", 0), Precision("bf16"))
    assert compared and {pooling.dtype for pooling in compared} == {torch.bfloat16}
    compared.clear()
    kernels.use("measured", "torch")
    agree_on_kernels(tiny_bmvit(), torch.device("cuda", 0), Precision("bf16"))
    assert compared == []
