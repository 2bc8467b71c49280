"""State dicts with the published names: backbone parameters without a prefix, beside the head's."""

from torch import nn

_PREFIX = "backbone."


def publish_backbone_unprefixed(module: nn.Module) -> None:
    """Save `module.backbone.X` as `X`, and load it from there. `module` has two children, `backbone` and `head`."""
    module.register_state_dict_post_hook(_drop_prefix)
    module.register_load_state_dict_pre_hook(_add_prefix)


def _drop_prefix(module: nn.Module, state: dict, prefix: str, _metadata: object) -> None:
    for name in [name for name in state if name.startswith(prefix + _PREFIX)]:
        state[prefix + name[len(prefix) + len(_PREFIX) :]] = state.pop(name)


def _add_prefix(module: nn.Module, state: dict, prefix: str, *_: object) -> None:
    for name in [name for name in state if name.startswith(prefix)]:
        rest = name[len(prefix) :]
        if not rest.startswith(("head.", _PREFIX)):
            state[prefix + _PREFIX + rest] = state.pop(name)
