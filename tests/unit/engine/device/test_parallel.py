"""Gradients have the layout of their parameters in memory, whatever computes them; two processes then have nothing to say."""

import os
import sys

import pytest
import torch
import torch.distributed as dist
from torch import nn

from slowfast.engine.device.parallel import keep_layouts, parallelised
from slowfast.layers import kernels
from slowfast.layers.kernels import choice
from tests.forks import call_in_processes
from tests.unit.models.tiny import CLIP_SHAPE, tiny_bmvit


def backward(model: nn.Module) -> nn.Module:
    out = model(torch.randn(2, *CLIP_SHAPE, generator=torch.Generator().manual_seed(0)))
    (out.boxes.sum() + out.actor_logits.square().sum() + out.action_logits.square().sum()).backward()
    return model


def tiny() -> nn.Module:
    return tiny_bmvit(class_token=True, position="separable").train()


def others(model: nn.Module) -> list[str]:
    """Names of parameters whose gradient has another layout."""
    return [name for name, p in model.named_parameters() if p.grad is not None and p.grad.stride() != p.stride()]


@pytest.mark.parametrize("way", ["fast", "plain", "operator"])
def test_every_gradient_has_the_layout_of_its_parameter(monkeypatch, way):
    if way == "operator":
        monkeypatch.setattr(choice, "has_depthwise_operator", lambda x: True)
    if way == "plain":
        kernels.use("plain")
    as_it_comes, kept = backward(tiny()), tiny()
    keep_layouts(kept)
    backward(kept)
    assert others(as_it_comes) and not others(kept)  # the test would see it
    for a, b in zip(as_it_comes.parameters(), kept.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


def test_a_gradient_with_its_axes_in_another_order_is_copied():
    weight = nn.Conv2d(3, 4, 3)
    keep_layouts(weight)
    (weight.weight * torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last)).sum().backward()
    assert weight.weight.grad.stride() == weight.weight.stride()


def two_steps(rank: int, folder: str) -> None:
    """In process `rank` of 2: what PyTorch itself says there, whichever way, goes to a file."""
    os.dup2(os.open(f"{folder}/{rank}.txt", os.O_WRONLY | os.O_CREAT), 2)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    model = parallelised(tiny(), torch.device("cpu"), act_checkpoint=False)
    for _ in range(2):
        backward(model)
        model.zero_grad()
    dist.destroy_process_group()
    sys.stderr.write("done")


def test_two_processes_say_nothing(tmp_path):
    call_in_processes(two_steps, str(tmp_path), processes=2)
    for rank in range(2):
        said = (tmp_path / f"{rank}.txt").read_text()
        assert said.endswith("done") and "strides do not match" not in said, said
