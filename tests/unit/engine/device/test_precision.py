"""What MODEL.PRECISION auto comes to on each kind of device, and when TF32 is taken."""

from pathlib import Path

import pytest
import torch

from slowfast.config import load_cfg
from slowfast.engine.device import precision
from slowfast.engine.device.compiling import choose_compiling
from slowfast.engine.device.precision import SETTINGS, Precision, choose_precision, has_bfloat16_units, take_tf32

TOY = Path(__file__).resolve().parents[4] / "configs/Toy/BMViT_toy.yaml"
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def capability(monkeypatch):
    """Pretends a GPU of that compute capability, with TF32 off; what is switched on ends with the test."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False

    def pretend(*found: int) -> None:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: found)

    yield pretend
    torch.backends.cuda.matmul.allow_tf32 = before


def test_auto_is_bfloat16_where_a_gpu_has_it(capability):
    assert choose_precision("auto", CPU).name == "float32"
    for found, name in (((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "float32")):
        capability(*found)
        assert choose_precision("auto", CUDA).name == name
        assert [choose_precision(one, CUDA).name for one in SETTINGS[1:]] == ["float32", "bf16", "fp16"]


@pytest.mark.parametrize(
    ("name", "device", "found", "taken"),
    [
        ("float32", CUDA, (9, 0), True),
        ("float32", CUDA, (7, 0), False),
        ("float32", CPU, (9, 0), False),
        ("bf16", CUDA, (9, 0), False),  # boxes and losses stay in full float32
    ],
)
def test_tf32_is_taken_for_float32_on_a_gpu_and_said(capability, name, device, found, taken):
    capability(*found)
    line = take_tf32(Precision(name), device)
    assert line.startswith(f"precision {name}") and ("TF32" in line) == taken
    assert torch.backends.cuda.matmul.allow_tf32 == torch.backends.cudnn.allow_tf32 == taken


@pytest.mark.parametrize(
    ("flags", "has"),
    [("fma avx2 avx512f avx512_bf16", True), ("avx512f amx_tile amx_bf16", True), ("avx512f avx512bw amx_tile", False)],
)
def test_bfloat16_units_are_read_from_the_flags_of_the_processor(tmp_path, flags, has):
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\nbugs\t\t: avx512_bf16\n")
    assert has_bfloat16_units(file) is has
    assert not has_bfloat16_units(tmp_path / "none")


@pytest.mark.parametrize("has", [True, False])
def test_a_cpu_stays_in_float32_and_eager_until_it_was_measured_and_the_log_tells_what_it_could_do(monkeypatch, has):
    monkeypatch.setattr(precision, "has_bfloat16_units", lambda: has)
    assert choose_precision("auto", CPU).name == "float32" and choose_precision("bf16", CPU).name == "bf16"
    assert ("MODEL.PRECISION bf16; never measured" in take_tf32(Precision(), CPU)) is has
    assert ("for which this CPU has no units" in take_tf32(Precision("bf16"), CPU)) is not has
    assert "for which this CPU has no units" in take_tf32(Precision("fp16"), CPU)
    assert not choose_compiling(load_cfg(TOY), CPU).on
