"""BMViT: single-stage action localization with multiscale vision transformers and bipartite matching.

As a library: `slowfast.load(FILE)` gives a model ready to predict, `slowfast.create_model(name)` a network of `configs/`,
`slowfast.list_models()` their names.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slowfast.hub.models import create_model, list_models
    from slowfast.inference.load import load

__version__ = "0.1.0"
__all__ = ["__version__", "create_model", "list_models", "load"]

# What the package offers by itself, and where it is: imported when it is asked for, so that `import slowfast` is light.
_OFFERED = {
    "create_model": "slowfast.hub.models",
    "list_models": "slowfast.hub.models",
    "load": "slowfast.inference.load",
}


def __getattr__(name: str) -> Any:
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_OFFERED[name]), name)
