"""How often the host waits for a GPU, counted without one: steps on fake CUDA tensors, which have no numbers.

A copy between host and device that is not `non_blocking`, and a number read from the device, make the host wait until
the device has done all that it was given. The backward pass is not run: autograd has no fake device.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from slowfast.engine.device.inputs import Inputs
from slowfast.engine.test import evaluate
from slowfast.engine.train_one_epoch import EpochPlan, train_one_epoch
from slowfast.losses import matcher
from slowfast.losses.roi_criterion import RoICriterion
from slowfast.models.detection.postprocess import PostProcess
from slowfast.models.detection.two_stage import RoIPostProcess, TwoStage
from slowfast.solver.schedule import Schedule
from slowfast.structures.clip import ClipBatch
from slowfast.tasks.localization import Localization
from slowfast.tasks.two_stage import TwoStage as TwoStageTask
from tests.unit.engine.one_step import batch_of, criterion
from tests.unit.models.tiny import tiny_bmvit

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
PEOPLE = (2, 0, 1)


class Waits(TorchDispatchMode):
    """Notes the operations at which the host would wait for the device, among the `events` that a test adds."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = operation.overloadpacket.__name__
        if name == "_local_scalar_dense":
            if args[0].is_cuda:
                self.events.append("read a number")
            return True  # every check that something is finite passes
        out = operation(*args, **kwargs)
        waits = not (kwargs.get("non_blocking") or (name == "copy_" and len(args) > 2 and args[2]))
        if waits and name in ("_to_copy", "copy_") and devices((args, out)) == {"cpu", "cuda"}:
            self.events.append(f"copy to {'host' if devices(out) == {'cpu'} else 'device'}")
        return out


def devices(values: object) -> set[str]:
    return {value.device.type for value in tree_leaves(values) if isinstance(value, torch.Tensor)}


@contextmanager
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Waits]:
    """Fake CUDA tensors, streams that do nothing, and answers where a fake tensor has none."""

    class Event:
        def record(self) -> None: ...
        def synchronize(self) -> None: ...  # of the step before, when the host has waited for a later one

    class Stream:
        def __init__(self, device: torch.device) -> None: ...
        def wait_stream(self, other: "Stream") -> None: ...

    waits = Waits()

    def assign(cost: torch.Tensor, people_per_clip: tuple[int, ...]) -> torch.Tensor:
        assert cost.device == CPU
        waits.events.append("assign")
        return torch.zeros(3, sum(people_per_clip), dtype=torch.int64)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: None)
    monkeypatch.setattr(matcher, "assign", assign)
    monkeypatch.setattr(PostProcess, "_keep", lambda self, actor, boxes: torch.zeros(2, dtype=torch.int64))
    with FakeTensorMode(), waits:
        needs_a_driver()
        yield waits


def needs_a_driver() -> None:
    """Skips where this version of torch asks for a driver."""
    if asks_for_a_driver():
        pytest.skip("this version of torch needs a CUDA driver for fake tensors")


def asks_for_a_driver() -> bool:
    """True for versions of torch, as 2.6 and 2.8, that ask for a driver when a fake tensor of a GPU is cut."""
    try:
        torch.empty(2, 4, device=CUDA)[..., :2]
    except RuntimeError as error:
        if "driver" not in str(error).lower():
            raise
        return True
    return False


def fake(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A fake tensor of the same shape, made inside `fake_gpu`."""
    return torch.empty(tensor.shape, dtype=tensor.dtype, device=device)


def on_fake_gpu(model: torch.nn.Module) -> torch.nn.Module:
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            setattr(module, name, torch.nn.Parameter(fake(parameter, CUDA)))
    return model


def loader(batches: list[ClipBatch], events: list[str]) -> Iterator[ClipBatch]:
    for batch in batches:
        events.append("load")
        yield batch.map(lambda tensor: fake(tensor, CPU))


def inputs_of(model: torch.nn.Module) -> Inputs:
    """As the task of the model gives them."""
    arguments = TwoStageTask.arguments if isinstance(model, TwoStage) else Localization.arguments
    return Inputs(
        CUDA,
        mean=(0.45,) * 3,
        std=(0.225,) * 3,
        arguments=lambda batch: arguments(SimpleNamespace(features=None), batch),
    )


def bmvit() -> torch.nn.Module:
    return tiny_bmvit(class_token=True, position="separable")


def two_stage() -> torch.nn.Module:
    return TwoStage(tiny_bmvit().backbone, num_classes=3)


def waits_of_training(monkeypatch, build: Callable[[], torch.nn.Module], criterion: torch.nn.Module) -> list[str]:
    """Two steps of two micro-batches."""
    model, batches = build(), [batch_of(PEOPLE) for _ in range(4)]
    with fake_gpu(monkeypatch) as waits:
        model = on_fake_gpu(model)

        def backward(total: torch.Tensor) -> None:
            for parameter in model.parameters():
                parameter.grad = torch.empty_like(parameter)

        monkeypatch.setattr(torch.Tensor, "backward", backward)
        inputs = inputs_of(model)
        optimizer = torch.optim.AdamW([{"params": model.parameters(), "base_lr": 0.1}], lr=0.1, fused=True)
        waits.events.clear()
        report = train_one_epoch(
            model,
            criterion,
            loader(batches, waits.events),
            optimizer,
            inputs=inputs,
            schedule=Schedule(lambda epoch: 1.0),
            plan=EpochPlan(epoch=0, steps=2, accumulate=2, clip_grad=1.0),
        )
        assert report.steps == 2
    return waits.events


@pytest.mark.long
def test_a_training_step_waits_for_the_costs_only(monkeypatch):
    """Whether the gradient is finite is decided on the device."""
    match = ["copy to host", "assign"]
    assert waits_of_training(monkeypatch, bmvit, criterion()) == [
        # The first micro-batch; the next step is loaded and copied before the second's costs.
        *("load", "load", *match, "load", "load", *match),
        *(*match, *match),
    ]


def test_a_step_of_the_two_stage_model_waits_for_the_check_of_its_loss(monkeypatch):
    check = ["read a number"]
    assert waits_of_training(monkeypatch, two_stage, RoICriterion()) == [
        *("load", "load", *check, "load", "load", *check),
        *(*check, *check),
    ]


class NoEvaluator:
    def process(self, detections, meta) -> None:
        assert {detections.boxes.device, detections.scores.device} == {CPU}

    def evaluate(self, gather) -> None:
        return None


@pytest.mark.parametrize(
    ("build", "postprocess"), [(bmvit, PostProcess(actor_threshold=0.1)), (two_stage, RoIPostProcess())]
)
def test_a_test_batch_waits_once_after_the_next_one_is_on_its_way(monkeypatch, build, postprocess):
    model = build()
    with fake_gpu(monkeypatch) as waits:
        model = on_fake_gpu(model)
        inputs = inputs_of(model)
        waits.events.clear()
        batches = loader([batch_of(PEOPLE) for _ in range(3)], waits.events)
        report = evaluate(model, batches, NoEvaluator(), postprocess=postprocess, inputs=inputs)
    assert report.clips == 9
    # And once at the end: whether all outputs were finite.
    end = waits.events[6:]
    assert waits.events[:6] == ["load", "load", "copy to host", "load", "copy to host", "copy to host"]
    assert end in (["copy to host"], ["read a number"] * 3)
