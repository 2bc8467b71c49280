"""State dicts with the published names: backbone parameters without a prefix, beside the head's."""

from collections.abc import Sequence
from functools import partial

from torch import nn

_PREFIX = "backbone."


def publish_backbone_unprefixed(module: nn.Module, *, others: Sequence[str] = ("head.",)) -> None:
    """Save `module.backbone.X` as `X`, and load it from there.

    others: beginnings of the names that do not belong to the backbone
    """
    module.register_state_dict_post_hook(_drop_prefix)
    module.register_load_state_dict_pre_hook(partial(_add_prefix, tuple(others)))


def _drop_prefix(module: nn.Module, state: dict, prefix: str, _metadata: object) -> None:
    for name in [name for name in state if name.startswith(prefix + _PREFIX)]:
        state[prefix + name[len(prefix) + len(_PREFIX) :]] = state.pop(name)


def _add_prefix(others: tuple[str, ...], module: nn.Module, state: dict, prefix: str, *_: object) -> None:
    for name in [name for name in state if name.startswith(prefix)]:
        rest = name[len(prefix) :]
        if not rest.startswith((*others, _PREFIX)):
            state[prefix + _PREFIX + rest] = state.pop(name)
