"""A user's own modules, which register models, backbones and data sets."""

import importlib

from fvcore.common.config import CfgNode


def import_extensions(cfg: CfgNode) -> None:
    """Import the modules of MODEL.IMPORTS. Raises ValueError naming one that cannot be found."""
    for module in cfg.MODEL.IMPORTS:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise ValueError(
                f"MODEL.IMPORTS: cannot import {module!r} ({error}); is its folder on PYTHONPATH?"
            ) from error
