"""A user's own modules, which register models, backbones and data sets."""

import importlib
import importlib.util
import traceback

from fvcore.common.config import CfgNode


def import_extensions(cfg: CfgNode) -> None:
    """Import the modules of MODEL.IMPORTS. Raises ValueError naming one that cannot be found, or where one fails."""
    for module in cfg.MODEL.IMPORTS:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
                raise ValueError(
                    f"MODEL.IMPORTS: cannot import {module!r} ({error}); is its folder on PYTHONPATH?"
                ) from error
            raise ValueError(_broken(module, error)) from error
        except Exception as error:  # whatever a module of somebody else may raise
            raise ValueError(_broken(module, error)) from error


def _broken(module: str, error: Exception) -> str:
    """The error of a module that was found, and the line where it happened."""
    if isinstance(error, SyntaxError):
        file, line, code = error.filename, error.lineno, (error.text or "").strip()
        message = error.msg
    else:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
        inside = [f for f in frames if f.filename == _file_of(module)] or frames
        file, line, code = inside[-1].filename, inside[-1].lineno, inside[-1].line or ""
        message = str(error)
    shown = f"\n    {code}" if code else ""
    return f"MODEL.IMPORTS: {module!r} was found and fails itself: {type(error).__name__}: {message} ({file}, line {line}){shown}"


def _file_of(module: str) -> str:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):  # a package around it fails, or the module was half imported
        return ""
    return (spec.origin or "") if spec else ""
