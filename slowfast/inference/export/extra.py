"""The packages of the extra `.[export]`, imported where they are used, with an error that names it."""

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def from_extra(module: str) -> Any:
    """The module of that name. Raises ValueError that tells how to install its package where it is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.split(".")[0]
        if (error.name or package).split(".")[0] not in ("onnx", "onnxruntime", "onnxscript"):
            raise
        raise ValueError(
            f"ONNX files need the package {error.name or package}, which is not installed; the extra `export` brings all "
            'of them: pip install ".[export]" in the folder of this project'
        ) from None


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Without what those packages tell their own developers: everything below an error, from every logger, for the block.

    One of them logs by `logging.warning`, which would set up the root logger of whoever calls this.
    """
    before, silent = logging.root.manager.disable, logging.NullHandler()
    logging.disable(max(before, logging.WARNING))
    logging.root.addHandler(silent)
    try:
        yield
    finally:
        logging.root.removeHandler(silent)
        logging.disable(before)
