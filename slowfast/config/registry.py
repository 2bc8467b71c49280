"""Registries of builders: things that a config chooses by name, and that users add to from modules of their own."""

from collections.abc import Callable
from typing import Any, TypeVar

from fvcore.common.registry import Registry

Function = TypeVar("Function", bound=Callable[..., Any])


def register_in(registry: Registry, name: str) -> Callable[[Function], Function]:
    """A decorator that files a function under `name`."""

    def register(builder: Function) -> Function:
        builder.__name__ = name  # the registry files objects under their __name__
        registry.register(builder)
        return builder

    return register


def find_in(registry: Registry, key: str, name: str) -> Any:
    """What is filed under `name`. Raises ValueError that names the config key and what is known."""
    if name not in registry:
        known = sorted(known for known, _ in registry)
        raise ValueError(
            f"{key} {name!r} is not registered; known: {known}. "
            "A file of yours that registers it goes into MODEL.IMPORTS"
        )
    return registry.get(name)
