"""slowfast.engine.device.compiling: when a model is compiled, that it computes the same, and when it is not compiled again."""

import copy
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.torch_version import TorchVersion

from slowfast.config import load_cfg
from slowfast.engine.device import compiling
from slowfast.engine.device.compiling import FullBatches, choose_compiling, compile_in_place
from slowfast.engine.device.first_calls import FirstCalls
from slowfast.layers import kernels
from slowfast.models.classifier import VideoClassifier
from slowfast.models.detection.two_stage import TwoStage
from slowfast.structures.outputs.predictions import Predictions
from tests.unit.engine.one_step import batch_of, sgd, train
from tests.unit.models.tiny import CLIP_SHAPE, tiny_bmvit

TOY = Path(__file__).resolve().parents[4] / "configs/Toy"
CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def cfg_with(*overrides: str) -> CfgNode:
    return load_cfg(TOY / "BMViT_toy.yaml", list(overrides))


@pytest.fixture
def complete_gpu(monkeypatch, tmp_path) -> Callable[..., None]:
    """A machine with all that torch.compile needs on a GPU; returns a function that takes something away."""
    (tmp_path / "Python.h").touch()

    def set_up(*, triton=True, c=True, capability=(9, 0), headers=True, version="2.15.0") -> None:
        monkeypatch.setattr(torch, "__version__", TorchVersion(version))
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.setattr(compiling.importlib.util, "find_spec", lambda name: object() if triton else None)
        monkeypatch.setattr(compiling.shutil, "which", lambda name: "/usr/bin/gcc" if c and name == "gcc" else None)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Old GPU")
        folder = tmp_path if headers else tmp_path / "missing"
        monkeypatch.setattr(compiling.sysconfig, "get_path", lambda name, scheme: str(folder))

    set_up()
    return set_up


def test_auto_compiles_on_a_complete_gpu_only(complete_gpu):
    assert choose_compiling(cfg_with(), CUDA).on
    assert str(choose_compiling(cfg_with(), CUDA)).startswith("model compiled by torch.compile: MODEL.COMPILE is auto")
    assert not choose_compiling(cfg_with(), CPU).on
    assert str(choose_compiling(cfg_with("MODEL.COMPILE", "off"), CUDA)) == (
        "model not compiled by torch.compile: MODEL.COMPILE is off"
    )


@pytest.mark.parametrize(
    ("lacks", "why"),
    [
        ({"triton": False}, "the package triton is not installed"),
        ({"c": False}, r"no C compiler was found for Triton \(install gcc, or name one in CC\)"),
        ({"capability": (6, 1)}, "Triton needs a GPU of compute capability 7.0, and Old GPU has less"),
        (
            {"version": "2.7.1"},
            r"torch 2.7.1 compiles the gradient of this attention wrongly \(install torch 2.8 or newer\)",
        ),
        ({"headers": False}, r"Triton needs .*Python.h \(install the headers of this Python: python3-dev\)"),
    ],
)
def test_what_is_missing_is_told(complete_gpu, lacks, why):
    complete_gpu(**lacks)
    auto = choose_compiling(cfg_with(), CUDA)
    assert not auto.on and re.fullmatch(why, auto.why)
    with pytest.raises(ValueError, match=f"MODEL.COMPILE is on, but {why}; set MODEL.COMPILE auto to run without"):
        choose_compiling(cfg_with("MODEL.COMPILE", "on"), CUDA)


def test_a_named_compiler_will_do(complete_gpu, monkeypatch):
    complete_gpu(c=False)
    monkeypatch.setenv("CC", "/opt/bin/cc")
    assert choose_compiling(cfg_with(), CUDA).on


def test_on_the_cpu_a_cpp_compiler_is_needed(monkeypatch):
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.15.0"))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(compiling.shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match=r"MODEL.COMPILE is on, but no C\+\+ compiler was found \(install g\+\+"):
        choose_compiling(cfg_with("MODEL.COMPILE", "on"), CPU)


@pytest.mark.parametrize("change", [("DATA.RESIZE", "keep_aspect"), ("DATA.MULTI_SCALE", "[224,256]")])
def test_clips_of_many_sizes_are_not_compiled(complete_gpu, change):
    auto = choose_compiling(cfg_with(*change), CUDA)
    assert not auto.on and "clips differ in size" in auto.why
    with pytest.raises(ValueError, match=r"MODEL.COMPILE \(on\) is for clips of one size: set it to auto, or DATA"):
        cfg_with(*change, "MODEL.COMPILE", "on")


# ------------------------------------------------------------------------------------------------- compiled code


@pytest.fixture
def compiled(monkeypatch) -> Callable[..., CompileCounterWithBackend]:
    """Compiles a model in place by `backend`, as the engine does; the result counts its compilations."""
    if torch.__version__ < compiling.OLDEST_TORCH:
        pytest.skip("this torch is too old to compile the model")
    torch._dynamo.reset()

    def compile_model(model: nn.Module, *overrides: str, backend: str = "aot_eager") -> CompileCounterWithBackend:
        counter = CompileCounterWithBackend(backend)
        as_torch_does = nn.Module.compile
        with monkeypatch.context() as patch:
            patch.setattr(compiling, "_missing", lambda device: "")  # only Inductor needs a C++ compiler
            patch.setattr(nn.Module, "compile", partial_method(as_torch_does, backend=counter))
            compile_in_place(cfg_with("MODEL.COMPILE", "on", *overrides), model, CPU)
        return counter

    yield compile_model
    torch._dynamo.reset()


def partial_method(method: Callable, **fixed) -> Callable:
    return lambda self, **options: method(self, **options, **fixed)


def flat(predictions: Predictions) -> torch.Tensor:
    return torch.cat([x.flatten() for x in (predictions.actor_logits, predictions.boxes, predictions.action_logits)])


@pytest.mark.long
@pytest.mark.parametrize(
    ("backend", "depth"),
    [
        (
            "aot_eager",
            2,
        ),  # the same graphs and gradients, and everything of ours; what is left is PyTorch's code generator
        # Of one block, whose C++ takes most of a minute to compile: with two blocks the test took 96 s on two quiet cores.
        pytest.param(
            "inductor",
            1,
            marks=[pytest.mark.slow, pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")],
        ),
    ],
)
def test_compiled_values_and_gradients_are_those_of_the_plain_model(compiled, backend, depth):
    clips = torch.randn(2, *CLIP_SHAPE, generator=torch.Generator().manual_seed(0))
    plain, fast = tiny_bmvit(depth=depth).train(), tiny_bmvit(depth=depth).train()
    names = list(fast.state_dict())
    counter = compiled(fast, backend=backend)
    assert list(fast.state_dict()) == names
    found, expected = flat(fast(clips)), flat(plain(clips))
    assert counter.frame_count == 1
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    weight = torch.linspace(-1, 1, len(found))
    gradients = [
        torch.autograd.grad(out @ weight, list(m.parameters())) for out, m in ((found, fast), (expected, plain))
    ]
    largest = max(gradient.abs().max() for gradient in gradients[1])
    for a, b in zip(*gradients, strict=True):
        assert (a - b).abs().max() <= 1e-5 * largest


@pytest.mark.long
def test_an_epoch_compiles_once_and_smaller_batches_run_uncompiled(compiled):
    plain, fast = tiny_bmvit(), tiny_bmvit()
    counter = compiled(fast)
    batches = [batch_of((2, 1)), batch_of((0, 1), first=2), batch_of((1,), first=4), batch_of((1, 1), first=5)]
    train(fast, batches, sgd(fast, lr=1e-3))
    assert counter.frame_count == 1
    train(plain, batches, sgd(plain, lr=1e-3))
    for (name, a), b in zip(fast.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.long
def test_training_and_testing_compile_once_each(compiled):
    model, clips = tiny_bmvit(), torch.randn(2, *CLIP_SHAPE)
    counter = compiled(model, backend="eager")  # counts graphs, and need not differentiate them
    for _ in range(3):
        full_batches = FullBatches()
        model.train()(clips)
        with torch.no_grad():
            for count in (2, 2, 1):
                with full_batches.rule_for(clips[:count]):
                    model.eval()(clips[:count])
    assert counter.frame_count == 2


@pytest.mark.long
def test_the_two_stage_model_compiles_its_backbone_for_any_number_of_boxes(compiled):
    torch.manual_seed(0)
    model = TwoStage(tiny_bmvit().backbone, num_classes=3).eval()
    plain, clips = copy.deepcopy(model), torch.randn(2, *CLIP_SHAPE)
    overrides = ["MODEL.MODEL_NAME", "TwoStage", "DETECTION.BOXES", "groundtruth"]
    counter = compiled(model, *overrides, backend="eager")
    for people in (3, 1, 0, 2):
        boxes = torch.tensor([[0.0, 1, 1, 8, 8], [1, 2, 2, 9, 9], [1, 0, 4, 16, 12]])[:people]
        with torch.no_grad():
            torch.testing.assert_close(model(clips, boxes).action_logits, plain(clips, boxes).action_logits)
    assert counter.frame_count == 1


@pytest.mark.long
def test_a_copy_of_a_compiled_model_is_a_plain_one(compiled):
    """The weight average is such a copy, so the engine compiles it by itself."""
    model, clips = tiny_bmvit().eval(), torch.randn(2, *CLIP_SHAPE)
    counter = compiled(model, backend="eager")
    torch.testing.assert_close(flat(copy.deepcopy(model)(clips)), flat(model(clips)))
    assert counter.frame_count == 1


@pytest.mark.long
@pytest.mark.parametrize(
    "build",
    [
        partial(tiny_bmvit, aux=True),
        partial(tiny_bmvit, class_token=True, position="separable", box_tokens="all", actor_logits=2),
        lambda: VideoClassifier(tiny_bmvit(class_token=True).backbone, num_classes=3),
        lambda: TwoStage(tiny_bmvit().backbone, num_classes=3),
    ],
    ids=["BMViT with auxiliary heads", "BMViT on all tokens", "classifier", "two-stage"],
)
def test_whole_models_are_one_graph(build):
    torch._dynamo.reset()
    model, inputs = build().train(), [torch.randn(2, *CLIP_SHAPE)]
    if isinstance(model, TwoStage):
        inputs.append(torch.tensor([[0.0, 1, 1, 8, 8], [1, 2, 2, 9, 9]]))
    report = torch._dynamo.explain(model)(*inputs)
    assert (report.graph_break_count, report.graph_count) == (0, 1), report.break_reasons


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_replayed_graphs_give_the_numbers_of_the_plain_model():
    torch._dynamo.reset()
    device = torch.device("cuda", torch.cuda.current_device())
    if not choose_compiling(cfg_with(), device).on:
        pytest.skip(choose_compiling(cfg_with(), device).why)
    kernels.use("all")  # CUDA graphs are off until they are measured
    plain, fast = (tiny_bmvit().to(device).eval() for _ in range(2))
    compile_in_place(cfg_with("MODEL.COMPILE", "on"), fast, device, graphs=True)
    full_batches = FullBatches()
    # By default cuDNN rounds the inputs of the patch embedding to TF32, in compiled code in another layout and order.
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for count in (4, 4, 4, 3, 4):
            clips = torch.randn(count, *CLIP_SHAPE, device=device)
            with full_batches.rule_for(clips):
                found = flat(fast(clips)).cpu()
            torch.testing.assert_close(
                found, flat(plain(clips)).cpu(), rtol=1e-4, atol=1e-5, msg=lambda text, n=count: f"{n} clips: {text}"
            )
    assert isinstance(fast._compiled_call_impl, FirstCalls)
    torch._dynamo.reset()
