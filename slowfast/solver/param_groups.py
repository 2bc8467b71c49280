"""Parameter groups: who learns how fast, and who decays."""

from collections import defaultdict
from collections.abc import Sequence

from torch import nn

_ABSOLUTE_POSITIONS = ("pos_embed", "position.")
_POSITIONS = (*_ABSOLUTE_POSITIONS, "rel_pos", "cls_token")


def is_position(name: str, *, layer_decay: float = 1.0) -> bool:
    """Whether a parameter is a table of positions or the class token, which may be spared weight decay.

    PySlowFast asks for parts of names without layer decay, and for whole names with it, which no relative position
    table in a block has: with layer decay they are not among those spared.
    """
    if layer_decay == 1:
        return any(part in name for part in _POSITIONS)
    name = name.removeprefix("backbone.")
    return name == "cls_token" or name.startswith(_ABSOLUTE_POSITIONS)


def is_1d(name: str, parameter: nn.Parameter) -> bool:
    """Norms and biases."""
    return parameter.ndim == 1 or name.endswith(".bias")


def layer_of(name: str, depth: int) -> int:
    """0 for the patch embedding and positions, 1..depth for the blocks, depth + 1 for what comes after them."""
    if not name.startswith("backbone."):
        return depth + 1
    rest = name.removeprefix("backbone.")
    if rest.startswith("blocks."):
        return int(rest.split(".")[1]) + 1
    return depth + 1 if rest.startswith("norm.") else 0


def layer_among(name: str, layers: Sequence[tuple[str, ...]]) -> int:
    """The layer of a parameter of a backbone that lists its own (`backbone.layers`): beginnings of names, input first.

    The number of layers for what none of them names, and for what is not of the backbone.
    """
    rest = name.removeprefix("backbone.")
    if rest == name:
        return len(layers)
    return next((number for number, beginnings in enumerate(layers) if rest.startswith(beginnings)), len(layers))


def param_groups(
    model: nn.Module,
    *,
    base_lr: float,
    head_lr_mult: float = 1.0,
    weight_decay: float = 0.0,
    decay_1d: bool = False,
    decay_positions: bool = False,
    layer_decay: float = 1.0,
) -> list[dict]:
    """Groups for a torch optimiser; every trainable parameter is in exactly one.

    Parameters whose name starts with "backbone." learn with `base_lr` times layer_decay ** (layers above them), all
    others with `base_lr * head_lr_mult`. A backbone that has `layers` says which those are (`layer_among`). Each group
    carries "name" and "base_lr", which the schedule scales.

    decay_1d:        let norms and biases decay too
    decay_positions: let position tables and the class token decay too
    """
    backbone = getattr(model, "backbone", None)
    depth = sum(1 for _ in getattr(backbone, "blocks", ()))
    layers: Sequence[tuple[str, ...]] = getattr(backbone, "layers", ())
    last = len(layers) if layers else depth + 1
    groups: dict[tuple, list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        is_backbone = name.startswith("backbone.")
        spared = not decay_positions and is_position(name, layer_decay=layer_decay)
        decay = not spared and (decay_1d or not is_1d(name, parameter))
        scale = (
            layer_decay ** (last - (layer_among(name, layers) if layers else layer_of(name, depth)))
            if is_backbone
            else head_lr_mult
        )
        groups[("backbone" if is_backbone else "heads", scale, decay)].append(parameter)
    return [
        {
            "name": f"{part} x{scale:g}{'' if decay else ', no decay'}",
            "params": parameters,
            "base_lr": base_lr * scale,
            "lr": base_lr * scale,
            "weight_decay": weight_decay if decay else 0.0,
        }
        for (part, scale, decay), parameters in groups.items()
    ]
