"""What MODEL.PRECISION auto comes to on each kind of device, and when TF32 is taken."""

import pytest
import torch

from slowfast.engine.device.precision import SETTINGS, Precision, choose_precision, take_tf32

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
