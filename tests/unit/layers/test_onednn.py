"""The line that tells which kernels are chosen."""

import torch

from slowfast.layers.onednn import describe_kernels


def test_the_line_tells_the_choice_of_device_and_precision(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert "through oneDNN" in describe_kernels(cpu, autocast=False)
    assert "bfloat16 autocast" in describe_kernels(cpu, autocast=True)
    on_gpu = describe_kernels(torch.device("cuda"), autocast=True)
    assert "bfloat16 autocast" in on_gpu and "PyTorch's own linear layers" in on_gpu
    assert "depthwise convolution by PyTorch or Triton" in on_gpu and "matrix units" not in on_gpu
    assert "TRAIN.MIXED_PRECISION True would use" in describe_kernels(torch.device("cuda"), autocast=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert "PyTorch's own linear layers" in describe_kernels(cpu, autocast=False)
