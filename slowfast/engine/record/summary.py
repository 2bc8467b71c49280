"""What a model costs: parameters, multiply-adds and token grid, counted on the meta device without making a weight."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from slowfast.layers import kernels
from slowfast.models.build import build_model, input_size

# fvcore, with which the published numbers were counted, takes 5 operations per element of a norm with weight and bias.
# This counter counts a multiply-add as 2.
_NORM_OPERATIONS = 2 * 5


@dataclass(frozen=True)
class Part:
    """Cost of a part of a model for one clip; gmacs: 10^9 multiply-adds."""

    parameters: int
    gmacs: float


@dataclass(frozen=True)
class ModelSummary:
    """Cost of a model for one clip.

    model:      MODEL.MODEL_NAME
    input_size: (T, H, W) in pixels
    token_grid: (T', H', W') of the backbone's output
    channels:   of one output token
    parts:      "backbone" and "heads"
    """

    model: str
    input_size: tuple[int, int, int]
    token_grid: tuple[int, int, int]
    channels: int
    parts: dict[str, Part]

    @property
    def parameters(self) -> int:
        return sum(part.parameters for part in self.parts.values())

    @property
    def gmacs(self) -> float:
        return sum(part.gmacs for part in self.parts.values())

    def __str__(self) -> str:
        size, grid = ("x".join(map(str, numbers)) for numbers in (self.input_size, self.token_grid))
        parts = ", ".join(f"{name} {p.parameters / 1e6:.2f} M and {p.gmacs:.2f} G" for name, p in self.parts.items())
        return (
            f"{self.model}: {self.parameters / 1e6:.2f} M parameters, {self.gmacs:.2f} GMACs per clip of {size} "
            f"({parts}); tokens {grid} of {self.channels} channels"
        )


def model_summary(cfg: CfgNode) -> ModelSummary:
    """Count the model of `cfg` on the meta device, for one training-size clip, and one box if it takes boxes.

    Raises ValueError for a model that does not keep its backbone as `backbone`.
    """
    size = input_size(cfg)
    with torch.device("meta"):
        model = build_model(cfg).eval()
        clip = torch.empty(1, 3, *size)
        inputs = (clip, torch.zeros(1, 5)) if getattr(model, "takes_boxes", False) else (clip,)
    backbone = getattr(model, "backbone", None)
    if not isinstance(backbone, nn.Module):
        parts = ", ".join(name for name, _ in model.named_children()) or "none"
        raise ValueError(
            f"the model of MODEL.MODEL_NAME {cfg.MODEL.MODEL_NAME} ({type(model).__name__}) has no `backbone` (its parts: "
            f"{parts}): keep the module that turns clips into tokens as self.backbone, see register_backbone; published "
            "weights are read into it, and its cost is counted"
        )
    backbone_macs, tokens = count_macs(backbone, clip)
    macs, _ = count_macs(model, *inputs)
    backbone_parameters = _count_parameters(backbone)
    return ModelSummary(
        model=cfg.MODEL.MODEL_NAME,
        input_size=size,
        token_grid=tuple(tokens.shape[1:4]),
        channels=tokens.shape[-1],
        parts={
            "backbone": Part(backbone_parameters, backbone_macs / 1e9),
            "heads": Part(_count_parameters(model) - backbone_parameters, (macs - backbone_macs) / 1e9),
        },
    )


def count_macs(model: nn.Module, *inputs: torch.Tensor) -> tuple[float, Any]:
    """Multiply-adds of one forward pass as fvcore counts them, and its output.

    Every operation computes its plain definition, because kernels hide their products.
    """
    norm = {torch.ops.aten.native_layer_norm: lambda shape, *_, **__: _NORM_OPERATIONS * math.prod(shape)}
    counter = FlopCounterMode(display=False, custom_mapping=norm)
    with torch.no_grad(), kernels.plain(), counter:
        output = model(*inputs)
    return counter.get_total_flops() / 2, output


def _count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
