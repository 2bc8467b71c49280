"""Fitting tensors of a file to a model: positions resized, image kernels inflated, projections split or joined."""

import math
import re

import torch
from torch import Tensor

from slowfast.layers.position import resize_grid_embedding
from slowfast.layers.rel_pos import resize_table
from slowfast.layers.token_grid import Size3, volume

State = dict[str, Tensor]

_QKV = re.compile(r"^(.*\.attn\.)(qkv|q|k|v)\.(weight|bias)$")


def match_projections(state: State, wanted: set[str]) -> tuple[State, dict[str, str]]:
    """Turn `attn.qkv` into `attn.q, k, v` or the other way round, where the model has the other form.

    state: parameters of a file under our names; wanted: the names of the model
    Returns the new state, and new name -> the name(s) it was made from. An incomplete set of three is left as it is.
    """
    matched, made = dict(state), {}
    for name in state:
        parts = _QKV.match(name)
        if parts is None or name in wanted:
            continue
        prefix, which, kind = parts.groups()
        fused, split = f"{prefix}qkv.{kind}", [f"{prefix}{part}.{kind}" for part in "qkv"]
        if which == "qkv" and all(part in wanted for part in split):
            for part, tensor in zip(split, matched.pop(name).chunk(3), strict=True):
                matched[part] = tensor
                made[part] = fused
        elif which == "q" and fused in wanted and all(part in matched for part in split):
            matched[fused] = torch.cat([matched.pop(part) for part in split])
            made[fused] = " + ".join(split)
    return matched, made


def split_joint_position(state: State, wanted: set[str]) -> tuple[State, dict[str, str]]:
    """An image model's table `pos_embed` (class token first) as the separate spatial and class tables of a video model.

    Returns the new state, and new name -> the name it was made from.
    """
    if "pos_embed" not in state or "pos_embed" in wanted or "pos_embed_spatial" not in wanted:
        return state, {}
    split = {name: tensor for name, tensor in state.items() if name != "pos_embed"}
    table, made = state["pos_embed"], {"pos_embed_spatial": "pos_embed"}
    if "pos_embed_class" in wanted:
        split["pos_embed_class"], table = table[:, :1], table[:, 1:]
        made["pos_embed_class"] = "pos_embed"
    split["pos_embed_spatial"] = table
    return split, made


def fit(name: str, tensor: Tensor, shape: torch.Size, grid: Size3 | None) -> tuple[Tensor, str] | None:
    """`tensor` of a file in the shape the model wants, and how that was done; None when there is no right way.

    name:  the parameter's name, without a `backbone.` prefix
    grid:  the (T, H, W) token grid that the model's absolute positions are laid out on; None without any
    """
    if _without_leading_ones(tensor.shape) == _without_leading_ones(shape):
        return tensor.reshape(shape), "reshaped"
    leaf = name.rsplit(".", 1)[-1]
    if leaf in ("rel_pos_t", "rel_pos_h", "rel_pos_w") and tensor.shape[1] == shape[1]:
        return resize_table(tensor.float(), shape[0]).to(tensor.dtype), "linear"
    if (
        leaf in ("pos_embed_temporal", "pos_embed_spatial", "pos_embed")
        and grid is not None
        and tensor.shape[-1] == shape[-1]
    ):
        return _fit_position(leaf, tensor.float(), shape, grid, tensor.dtype)
    if re.search(r"(^patch_embed\.proj|\.attn\.pool_[qkv])\.weight$", name):
        return _inflate(tensor, shape)
    return None


def _without_leading_ones(shape: torch.Size) -> tuple[int, ...]:
    sizes = list(shape)
    while len(sizes) > 1 and sizes[0] == 1:
        sizes.pop(0)
    return tuple(sizes)


def _inflate(tensor: Tensor, shape: torch.Size) -> tuple[Tensor, str] | None:
    """A kernel over images as the central slice of a kernel over clips, zeros around it (MViTv2, video initialisation).

    A clip that stands still then gives, in every frame, exactly what its image gives.
    """
    image = tensor if tensor.ndim == 5 else tensor.unsqueeze(2)
    same = len(shape) == 5 and image.shape[:2] == shape[:2] and image.shape[3:] == shape[3:]
    if not same or image.shape[2] != 1 or shape[2] % 2 == 0:
        return None
    inflated = tensor.new_zeros(shape)
    inflated[:, :, shape[2] // 2] = image[:, :, 0]
    return inflated, "central slice"


def _fit_position(
    leaf: str, table: Tensor, shape: torch.Size, grid: Size3, dtype: torch.dtype
) -> tuple[Tensor, str] | None:
    """An absolute position table ([1,] [1 +] positions, C) on another grid, interpolated as at run time."""
    table = table.reshape(1, -1, table.shape[-1])  # torchvision's has no first axis
    source: Size3 | None
    target: Size3
    if leaf == "pos_embed_temporal":
        source, target = (table.shape[1], 1, 1), (shape[1], 1, 1)
    else:
        target = (1, *grid[1:]) if leaf == "pos_embed_spatial" else grid
        source = _guess_grid(table.shape[1] - (shape[1] - volume(target)), target)
        if source is None:
            return None
    tokens = shape[1] - volume(target)
    first, rest = table[:, :tokens], table[:, tokens:]
    return torch.cat([first, resize_grid_embedding(rest, source, target)], dim=1).to(dtype), "trilinear"


def _guess_grid(positions: int, like: Size3) -> Size3 | None:
    """The (T, H, W) grid of that many positions: T and aspect ratio of `like`, else T and a square; None if neither."""
    if positions % like[0]:
        return None
    area = positions // like[0]
    for aspect in (like[1] / like[2], 1.0):
        width = round(math.sqrt(area / aspect))
        height = round(width * aspect)
        if width > 0 and height * width == area:
            return (like[0], height, width)
    return None


def interpolate_note(before: torch.Size, after: torch.Size, how: str) -> str:
    """ "111x96 -> 127x96 (linear)" """
    return f"{'x'.join(map(str, before))} -> {'x'.join(map(str, after))} ({how})"
