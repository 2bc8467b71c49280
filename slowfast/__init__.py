"""BMViT: single-stage action localization with multiscale vision transformers and bipartite matching."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slowfast.inference.load import load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """`slowfast.load(FILE)` gives a model ready to predict. It is imported when it is asked for: it needs torch."""
    if name == "load":
        from slowfast.inference.load import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
