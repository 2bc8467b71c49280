"""PyAV, imported when a video is first opened or written: on a machine without it everything else works.

Whoever hands FFmpeg's messages to Python's logging (`av.logging.set_level`; torchvision 0.21 does it when it is
imported) makes decoding stand still for ever: a decoding thread that has something to say waits for Python's lock, and
whoever closes the file holds that lock and waits for the thread. So that is turned off whenever a file is opened here;
FFmpeg's own printing (`av.logging.restore_default_callback`) is left alone.
"""

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
            if name == "open" and module.logging.get_level() is not None:
                module.logging.set_level(None)
            return getattr(module, name)

    av = _Later()

__all__ = ["av"]
