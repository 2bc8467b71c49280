"""PyAV, imported when a video is first opened or written: on a machine without it everything else works."""

from typing import TYPE_CHECKING, Any

from slowfast.utils.missing import MissingPackageError

if TYPE_CHECKING:
    import av
else:

    class _Later:
        """The module `av`, imported at the first question. Raises MissingPackageError that says how to get it."""

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__") and name != "__version__":
                raise AttributeError(name)
            try:
                import av as module
            except ImportError as error:
                raise MissingPackageError(
                    "video files are read and written by PyAV, which is not installed: pip install av"
                ) from error
            return getattr(module, name)

    av = _Later()

__all__ = ["av"]
