"""What a run sets for its whole process, put back: seeds, logging, kernels, names registered from outside the package."""

import logging
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from fvcore.common.registry import Registry

from slowfast.layers import kernels
from slowfast.layers.kernels import choice
from slowfast.utils.logging import get_logger


@contextmanager
def unchanged() -> Iterator[None]:
    """Afterwards the process is as it was."""
    log = get_logger()
    path, handlers, level, propagate = list(sys.path), list(log.handlers), log.level, log.propagate
    seeds, setting = (
        (random.getstate(), np.random.get_state(), torch.get_rng_state()),
        (choice._setting, choice._depthwise),
    )
    registered = {(id(registry), name) for registry in registries() for name, _ in registry}
    try:
        yield
    finally:
        sys.path[:] = path
        random.setstate(seeds[0])
        np.random.set_state(seeds[1])
        torch.set_rng_state(seeds[2])
        kernels.use(*setting)
        _forget_foreign_names(registered)
        _give_back(log, handlers)
        log.setLevel(level)
        log.propagate = propagate


def registries() -> list[Registry]:
    """All of the package, of the modules that are imported so far."""
    return _registries_of(sum(name.startswith("slowfast.") for name in list(sys.modules)))


@cache
def _registries_of(modules: int) -> list[Registry]:
    """Looked for once while the package has as many modules: this is asked twice a test."""
    spaces = [vars(module) for name, module in list(sys.modules.items()) if name.startswith("slowfast.")]
    return list({id(x): x for space in spaces for x in space.values() if type(x) is Registry}.values())


def _forget_foreign_names(before: set[tuple[int, str]]) -> None:
    """What a module of MODEL.IMPORTS has registered, and the module, which would not register it a second time."""
    for registry in registries():
        for name, registered in list(registry):
            owner = registered.__module__
            if (id(registry), name) not in before and not owner.startswith("slowfast."):
                del registry._obj_map[name]
                if not owner.startswith("tests."):
                    sys.modules.pop(owner, None)


def _give_back(log: logging.Logger, handlers: list[logging.Handler]) -> None:
    """Close the handlers of a run, which hold its output and its stdout.log, and take the former ones."""
    for handler in list(log.handlers):
        log.removeHandler(handler)
        if handler not in handlers:
            handler.close()
    for handler in handlers:
        log.addHandler(handler)
