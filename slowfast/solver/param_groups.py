"""Parameter groups: who learns how fast, and who decays."""

from collections import defaultdict

from torch import nn

# Positions are tables of embeddings, not weights of a map: they never decay, whatever their shape.
_POSITIONS = ("rel_pos", "pos_embed", "position.", "cls_token")


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Weight decay is for matrices and kernels: not for norms, biases, class tokens and position tables."""
    return parameter.ndim > 1 and not any(part in name for part in _POSITIONS)


def layer_of(name: str, depth: int) -> int:
    """0 for the patch embedding and positions, 1..depth for the blocks, depth + 1 for what comes after them."""
    if not name.startswith("backbone."):
        return depth + 1
    rest = name.removeprefix("backbone.")
    if rest.startswith("blocks."):
        return int(rest.split(".")[1]) + 1
    return depth + 1 if rest.startswith("norm.") else 0


def param_groups(
    model: nn.Module,
    *,
    base_lr: float,
    head_lr_mult: float = 1.0,
    weight_decay: float = 0.0,
    decay_1d: bool = False,
    layer_decay: float = 1.0,
) -> list[dict]:
    """Groups for a torch optimiser; every trainable parameter is in exactly one.

    Parameters whose name starts with "backbone." learn with `base_lr` times layer_decay ** (layers above them), all
    others with `base_lr * head_lr_mult`. Each group carries "name" and "base_lr", which the schedule scales.

    decay_1d: let norms and biases decay too; positions never do
    """
    depth = sum(1 for _ in getattr(getattr(model, "backbone", None), "blocks", ()))
    groups: dict[tuple, list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        is_backbone = name.startswith("backbone.")
        decay = decays(name, parameter) or (decay_1d and not any(part in name for part in _POSITIONS))
        scale = layer_decay ** (depth + 1 - layer_of(name, depth)) if is_backbone else head_lr_mult
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
