"""EfficientNet-Lite0, an image network for small devices: EfficientNet-B0 (Tan and Le 2019, table 1) without
squeeze-and-excitation, with ReLU6 in place of swish (TensorFlow's EfficientNet-Lite, 2020). Our own writing.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_NORM_EPS = 1e-3  # of the published network


@dataclass(frozen=True)
class Stage:
    """`repeats` inverted bottlenecks; the first one has the stride. expand: inner channels over those that come in."""

    kernel: int
    stride: int
    expand: int
    dim: int
    repeats: int


LITE0_STEM = 32
LITE0_STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)


class FixedNorm(nn.BatchNorm2d):
    """Batch normalisation that always uses the published statistics, in training too: a batch holds a few videos, whose
    frames are alike, and would spoil them. Its scale and shift may be trained.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=_NORM_EPS)
        self.eval()

    def train(self, mode: bool = True) -> "FixedNorm":
        """Stays in evaluation mode."""
        return super().train(False)


class SameConv(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's SAME: the output has ceil(size / stride) places, and where the
    padding is odd the larger part is at the right and the bottom.
    """

    def __init__(self, dim_in: int, dim_out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(dim_in, dim_out, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        rows, columns = (max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[-2:])
        if rows % 2 or columns % 2:
            x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
            rows = columns = 0
        return F.conv2d(x, self.weight, self.bias, self.stride, (rows // 2, columns // 2), 1, self.groups)


class ConvNorm(nn.Module):
    """Convolution, normalisation, and ReLU6 where `active`. (N, C, H, W) -> (N, C', H / stride, W / stride)."""

    def __init__(
        self, dim_in: int, dim_out: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, active: bool = True
    ) -> None:
        super().__init__()
        self.conv = SameConv(dim_in, dim_out, kernel, stride=stride, groups=groups)
        self.norm: nn.Module = FixedNorm(dim_out)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return F.relu6(x) if self.active else x


class InvertedBottleneck(nn.Module):
    """1 x 1 to more channels, depthwise, 1 x 1 back (MobileNetV2); a skip where input and output have one shape."""

    def __init__(self, dim_in: int, dim_out: int, *, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        inner = dim_in * expand
        self.expand = ConvNorm(dim_in, inner) if expand > 1 else nn.Identity()
        self.depthwise = ConvNorm(inner, inner, kernel, stride=stride, groups=inner)
        self.project = ConvNorm(inner, dim_out, active=False)
        self.skips = stride == 1 and dim_in == dim_out

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.skips else y


class FrameCNN(nn.Module):
    """frames (N, 3, H, W), normalised RGB -> a feature map for each stride of `strides`: (N, C, H / stride, W / stride).

    The map of a stride is the last one of the network that has it. Layers behind the largest stride are not made, nor is
    the classifier. H and W are multiples of the largest stride; ValueError where they are not.
    """

    def __init__(
        self, *, strides: Sequence[int] = (16, 32), stem: int = LITE0_STEM, stages: Sequence[Stage] = LITE0_STAGES
    ) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.stem = ConvNorm(3, stem, 3, stride=2)
        blocks: list[nn.Module] = []
        dims, last_of, dim, stride = [], {2: -1}, stem, 2
        for stage in stages:
            for repeat in range(stage.repeats):
                step = stage.stride if repeat == 0 else 1
                blocks.append(InvertedBottleneck(dim, stage.dim, kernel=stage.kernel, stride=step, expand=stage.expand))
                dim, stride = stage.dim, stride * step
                dims.append(dim)
                last_of[stride] = len(blocks) - 1
        unknown = [s for s in self.strides if s not in last_of]
        if unknown or list(self.strides) != sorted(set(self.strides)):
            raise ValueError(f"strides {self.strides} must be ascending ones of {sorted(last_of)}")
        self.ends = tuple(last_of[s] for s in self.strides)
        self.dims = tuple(dims[end] for end in self.ends)
        self.blocks = nn.ModuleList(blocks[: self.ends[-1] + 1])

    def forward(self, frames: Tensor) -> list[Tensor]:
        largest = self.strides[-1]
        if any(size % largest for size in frames.shape[-2:]):
            raise ValueError(
                f"frames of {tuple(frames.shape[-2:])} must be divisible by {largest}, the largest stride of the frame "
                "network (DATA.TRAIN_CROP_SIZE, DATA.TEST_CROP_SIZE)"
            )
        x, maps = self.stem(frames), []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.ends:
                maps.append(x)
        return maps


def folded(network: FrameCNN) -> FrameCNN:
    """A copy for evaluation whose normalisations are folded into the convolutions before them, channels last in memory.

    It computes the same function up to rounding, faster (docs/PERFORMANCE.md).
    """
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if isinstance(module, ConvNorm) and isinstance(module.norm, nn.BatchNorm2d):
            module.conv, module.norm = fuse_conv_bn_eval(module.conv, module.norm), nn.Identity()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network.to(memory_format=torch.channels_last)
