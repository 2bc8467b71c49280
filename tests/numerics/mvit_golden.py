"""Weights and inputs by formula, and the files that hold what PySlowFast makes of them."""

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "mvit"


def manifest(name: str) -> dict[str, list[int]]:
    """State-dict name -> shape of a published network."""
    with gzip.open(GOLDEN / f"{name}.manifest.json.gz", "rt", encoding="utf-8") as file:
        return json.load(file)["shapes"]


def formula_weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The value of a parameter, float64, drawn from a seed that its name gives."""
    z = np.random.RandomState(zlib.crc32(name.encode()) & 0xFFFFFFFF).standard_normal(shape)
    if "rel_pos" in name or "pos_embed" in name or name == "cls_token":
        return 0.3 * z
    if name.endswith(".bias"):
        return 0.1 * z
    if len(shape) == 1:
        return 1 + 0.1 * z
    return z / np.sqrt(np.prod(shape[1:]))


def formula_weights(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(formula_weight(name, tuple(shape))) for name, shape in shapes.items()}


def formula_input(shape: tuple[int, ...]) -> Tensor:
    """A float64 clip (B, 3, T, H, W); an image (B, 3, H, W) becomes a clip of one frame."""
    clip = torch.from_numpy(np.random.RandomState(7).standard_normal(shape))
    return clip if clip.ndim == 5 else clip.unsqueeze(2)


def relative_error(found: Tensor, expected: np.ndarray) -> float:
    return float(np.abs(found.double().numpy() - expected).max() / np.abs(expected).max())
