"""BMViT: single-stage action localization with multiscale vision transformers and bipartite matching.

As a library: `slowfast.create_model(name)`, `slowfast.list_models()`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slowfast.hub.models import create_model, list_models

__version__ = "0.1.0"
__all__ = ["__version__", "create_model", "list_models"]

# What the package offers by itself, and where it is: imported when it is asked for, so that `import slowfast` is light.
_OFFERED = {"create_model": "slowfast.hub.models", "list_models": "slowfast.hub.models"}


def __getattr__(name: str) -> Any:
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_OFFERED[name]), name)
