"""The line that tells which kernels are chosen, and the CPUs where oneDNN multiplies."""

import pytest
import torch

from slowfast.layers.kernels.choice import describe_kernels, multiplies_faster


@pytest.mark.parametrize(
    ("capability", "faster"), [("AVX512", True), ("AVX512_VNNI", True), ("AVX2", False), ("DEFAULT", False)]
)
def test_onednn_multiplies_where_there_is_avx512(monkeypatch, capability, faster):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert multiplies_faster() is faster


def test_the_line_tells_the_choice_of_device_and_precision(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    line = describe_kernels(cpu, autocast=False)
    assert "large linear layers through oneDNN, depthwise gradients through oneDNN" in line
    assert "bfloat16 autocast" in describe_kernels(cpu, autocast=True)
    on_gpu = describe_kernels(torch.device("cuda"), autocast=True)
    assert "bfloat16 autocast" in on_gpu and "PyTorch's own linear layers" in on_gpu
    assert "depthwise convolution by PyTorch or Triton" in on_gpu and "matrix units" not in on_gpu
    assert "TRAIN.MIXED_PRECISION True would use" in describe_kernels(torch.device("cuda"), autocast=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    line = describe_kernels(cpu, autocast=False)
    assert "PyTorch's own linear layers, depthwise gradients through oneDNN" in line
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    line = describe_kernels(cpu, autocast=False)
    assert "PyTorch's own linear layers" in line and "oneDNN" not in line
