"""What torch.compile is given of a model on a GPU, as a run gives it: traced on fake CUDA tensors, which have no numbers.

Torch 2.8 asks for a driver when one of those is cut: there they are fake tensors of a CPU that may run what a GPU may.
To be run with every supported version of torch: what they say of a graph while they trace it has differed. The command is
in docs/TESTING.md.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from slowfast.config import load_cfg
from slowfast.engine.device import compiling
from slowfast.engine.device.compiling import compile_in_place
from slowfast.engine.device.inputs import Inputs
from slowfast.layers.kernels import choice
from slowfast.models.build import build_model, input_size
from tests.unit.engine.device.test_device_waits import CPU, CUDA, asks_for_a_driver, fake

CONFIGS = Path(__file__).resolve().parents[4] / "configs"
pytestmark = pytest.mark.skipif(
    torch.__version__ < compiling.OLDEST_TORCH, reason="this torch is too old to compile the model"
)


@pytest.fixture
def graphs(monkeypatch) -> list[torch.fx.Graph]:
    """The graphs that models compiled by the engine hand over to the compiler."""
    found: list[torch.fx.Graph] = []
    as_torch_does = nn.Module.compile

    def backend(traced: torch.fx.GraphModule, inputs: list):
        found.append(traced.graph)
        return traced.forward

    monkeypatch.setattr(compiling, "_missing", lambda device: "")  # a driver and a C compiler
    monkeypatch.setattr(nn.Module, "compile", lambda self, **options: as_torch_does(self, **options, backend=backend))
    torch._dynamo.reset()
    yield found
    torch._dynamo.reset()


@pytest.fixture
def device(monkeypatch) -> torch.device:
    with FakeTensorMode():
        if not asks_for_a_driver():
            return CUDA
    both = ("cpu", "cuda")
    monkeypatch.setattr(choice, "TRITON_DEPTHWISE", replace(choice.TRITON_DEPTHWISE, runs_on=both, measured_on=both))
    return CPU


def trace(name: str, device: torch.device) -> None:
    """Build the model of a config, compile it as the engine does, and call it with two uint8 clips in training."""
    cfg = load_cfg(CONFIGS / name, ["MODEL.COMPILE", "on"])
    with torch.device("meta"):
        model = build_model(cfg).train()
    with FakeTensorMode():
        for module in model.modules():
            for own, parameter in list(module.named_parameters(recurse=False)):
                setattr(module, own, nn.Parameter(fake(parameter, device)))
            for own, buffer in list(module.named_buffers(recurse=False)):
                setattr(module, own, fake(buffer, device))
        inputs = Inputs(device, mean=cfg.DATA.MEAN, std=cfg.DATA.STD)
        compile_in_place(cfg, model, device, compare=False, leave_pixels_to=inputs.leave_pixels_to)  # without numbers
        model(torch.empty(2, 3, *input_size(cfg), device=device, dtype=torch.uint8))


def operations(graphs: list[torch.fx.Graph]) -> Counter[str]:
    """How often each operation is called; custom operators as "slowfast.name", a 3-D convolution as "conv3d"."""
    names = [str(node.target) for graph in graphs for node in graph.nodes if node.op == "call_function"]
    return Counter(
        "slowfast.depthwise_conv" if "slowfast.depthwise_conv" in name else "conv3d" if "conv3d" in name else name
        for name in names
    )


def check(graphs: list[torch.fx.Graph], poolings: int) -> None:
    assert len(graphs) == 1  # and the clips become floats inside it
    found = operations(graphs)
    assert found["slowfast.depthwise_conv"] == poolings
    assert found["conv3d"] == 1  # the patch embedding


@pytest.mark.long
def test_a_small_detector_reaches_our_kernels_in_training(graphs, device):
    trace("Toy/BMViT_toy.yaml", device)
    check(graphs, 2 * load_cfg(CONFIGS / "Toy/BMViT_toy.yaml").MVIT.DEPTH)


@pytest.mark.slow
def test_bmvit_s_reaches_our_kernels_in_each_of_its_32_poolings(graphs, device):
    trace("AVA/BMViT_S.yaml", device)
    check(graphs, 32)
