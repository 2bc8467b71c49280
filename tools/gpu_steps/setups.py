"""Which networks the steps measure: BMViT-S and MViTv2-S on a GPU, small ones of the same kind with --tiny; and by what."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from bench import classifiers
from bench.detector import Setup
from gpu_steps.report import Options

from slowfast.layers import kernels

CONFIGS = classifiers.CONFIG.parents[1]
TINY = ("DATA.NUM_FRAMES", "4", "DATA.TRAIN_CROP_SIZE", "[32, 32]", "DATA.TEST_CROP_SIZE", "[32, 32]")


def detector_setup(options: Options, *, clips: int, changes: tuple[str, ...] = ()) -> Setup:
    """The BMViT; with --tiny the toy one on two clips at most."""
    name, own = ("Toy/BMViT_toy.yaml", TINY) if options.tiny else ("AVA/BMViT_S.yaml", ())
    clips = min(clips, 2) if options.tiny else clips
    return Setup(str(CONFIGS / name), options.device, clips, (*own, *changes), people=2 if options.tiny else 10)


@contextmanager
def in_float64() -> Iterator[None]:
    """Plain definitions inside the block, and no cuDNN: PyTorch's own depthwise kernels take seconds at most in float64,
    and nobody knows what cuDNN's do, which took 130 ms for one gradient in bfloat16."""
    with kernels.plain(), torch.backends.cudnn.flags(enabled=False):
        yield
