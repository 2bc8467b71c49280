"""Fitting tensors of a file to a model: positions resized, image kernels inflated, projections split or joined."""

import re

import torch
from torch import Tensor

from slowfast.layers.position import resize_grid_embedding
from slowfast.layers.rel_pos import resize_table
from slowfast.layers.token_grid import Size3, volume
from slowfast.weights.grids import SourceGrid

State = dict[str, Tensor]

AS_IT_IS = ("as it is", "reshaped")
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


def split_joint_position(state: State, wanted: set[str], *, class_token: bool) -> tuple[State, dict[str, str]]:
    """An image model's table `pos_embed` as the separate spatial and class tables of a video model.

    class_token: the file's network has one, whose row is the first of the table

    Returns the new state, and new name -> the name it was made from.
    """
    if "pos_embed" not in state or "pos_embed" in wanted or "pos_embed_spatial" not in wanted:
        return state, {}
    split = {name: tensor for name, tensor in state.items() if name != "pos_embed"}
    table, made = _with_batch(state["pos_embed"]), {"pos_embed_spatial": "pos_embed"}
    first, table = table[:, : int(class_token)], table[:, int(class_token) :]
    if class_token and "pos_embed_class" in wanted:
        split["pos_embed_class"] = first
        made["pos_embed_class"] = "pos_embed"
    split["pos_embed_spatial"] = table
    return split, made


def join_separate_positions(state: State, target: State, *, class_token: bool) -> tuple[State, dict[str, str]]:
    """The separate spatial, temporal and class tables of a video model as the one table of an image model.

    An image gets the temporal row that the video model gives to a clip of one token in time: the table resized to one.

    Returns the new state, and new name -> the names it was made from.
    """
    parts = ("pos_embed_spatial", "pos_embed_temporal")
    if "pos_embed" not in target or not all(part in state and part not in target for part in parts):
        return state, {}
    spatial, temporal = (_with_batch(state[part]) for part in parts)
    central = resize_grid_embedding(temporal.float(), (temporal.shape[1], 1, 1), (1, 1, 1)).to(temporal.dtype)
    table, made = spatial + central, " + ".join(parts)
    if class_token and "pos_embed_class" in state:
        table, made = torch.cat([_with_batch(state["pos_embed_class"]), table], dim=1), f"{made} + pos_embed_class"
    joined = {name: tensor for name, tensor in state.items() if name not in (*parts, "pos_embed_class")}
    return joined | {"pos_embed": table}, {"pos_embed": made}


def _with_batch(table: Tensor) -> Tensor:
    return table.reshape(1, -1, table.shape[-1])  # torchvision's has no first axis


def fit(
    name: str, tensor: Tensor, shape: torch.Size, grid: Size3 | None, source: SourceGrid, *, to_image: bool
) -> tuple[Tensor, str] | None:
    """`tensor` of a file in the shape the model wants, and how that was done; None when there is no right way.

    name:     the parameter's name, without a `backbone.` prefix
    grid:     the (T, H, W) token grid that the model's absolute positions are laid out on; None without any
    source:   what is known of the grid of the file
    to_image: the model is of images, the file of clips

    One of AS_IT_IS tells of no change. Raises ValueError when not exactly one grid fits a table of positions.
    """
    leaf = name.rsplit(".", 1)[-1]
    is_position = leaf in ("pos_embed_temporal", "pos_embed_spatial", "pos_embed")
    if is_position and grid is not None and tensor.shape[-1] == shape[-1]:
        return _fit_position(leaf, tensor, shape, grid, source)
    if tensor.shape == shape:
        return tensor, AS_IT_IS[0]
    if _without_leading_ones(tensor.shape) == _without_leading_ones(shape):
        return tensor.reshape(shape), AS_IT_IS[1]
    if leaf in ("rel_pos_t", "rel_pos_h", "rel_pos_w") and tensor.shape[1] == shape[1]:
        return resize_table(tensor.float(), shape[0]).to(tensor.dtype), "linear"
    if re.search(r"(^patch_embed\.proj|\.attn\.pool_[qkv])\.weight$", name):
        return _sum_over_time(tensor, shape) if to_image else _inflate(tensor, shape)
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


def _sum_over_time(tensor: Tensor, shape: torch.Size) -> tuple[Tensor, str] | None:
    """A kernel over clips as one over images: what it makes of a clip that stands still, away from its ends."""
    size = (*shape[:2], 1, *shape[-2:])
    if tensor.ndim != 5 or (*tensor.shape[:2], 1, *tensor.shape[3:]) != size:
        return None
    return tensor.sum(2, keepdim=True).reshape(shape), "sum over time"


def _fit_position(
    leaf: str, tensor: Tensor, shape: torch.Size, grid: Size3, source: SourceGrid
) -> tuple[Tensor, str] | None:
    """An absolute position table ([1,] [1 +] positions, C) on another grid, interpolated as at run time."""
    table = _with_batch(tensor)
    if leaf == "pos_embed_temporal":
        if table.shape == shape:
            return table, AS_IT_IS[1]
        resized = resize_grid_embedding(table.float(), (table.shape[1], 1, 1), (shape[1], 1, 1))
        return resized.to(tensor.dtype), "trilinear"
    places = leaf == "pos_embed_spatial"
    target: Size3 = (1, *grid[1:]) if places else grid
    wanted_rows, rows = shape[1] - volume(target), 0 if places else int(source.class_token)
    first, rest = table[:, :rows], table[:, rows:]
    how = "trilinear"
    if rest.shape[1] == volume(target) and not source.contradicts(rest.shape[1], target, places=places):
        how, resized = AS_IT_IS[1], rest
    else:
        found = source.find(rest.shape[1], target, places=places)
        if rest.shape[1] == volume(target):
            how = f"trilinear from a grid of {'x'.join(map(str, found))} to {'x'.join(map(str, target))}"
        resized = resize_grid_embedding(rest.float(), found, target).to(tensor.dtype)
    if wanted_rows > rows:
        first, how = table.new_zeros(1, wanted_rows, table.shape[-1]), "a row of zeros for the class token"
    elif wanted_rows < rows:
        first, how = first[:, :0], "without the row of the class token"
    return torch.cat([first, resized], dim=1), how


def interpolate_note(before: torch.Size, after: torch.Size, how: str) -> str:
    """ "111x96 -> 127x96 (linear)" """
    return f"{'x'.join(map(str, before))} -> {'x'.join(map(str, after))} ({how})"
