"""Checkpoints are written beside the training: a thread writes what was copied, while the next steps are taken."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from slowfast.engine.device.requests import StoppedError
from slowfast.utils.logging import get_logger


class BackgroundWriter:
    """Writes one file at a time. What goes wrong is raised where the next one begins, or where the block ends.

    Used as a context, which does not end before the last file is written.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="writing a checkpoint")
        self._writing: Future | None = None

    def start(self, write: Callable[[], None]) -> None:
        """Call `write` in the thread, once the file before is there. Raises OSError where that could not be written."""
        self.wait()
        self._writing = self._pool.submit(write)

    def wait(self) -> None:
        """Until the present file is there. Raises OSError, which names it, where it could not be written."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def __enter__(self) -> "BackgroundWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.wait()
        except OSError as failed:
            if kind is None or issubclass(kind, StoppedError):  # who was stopped is told that all is saved
                raise
            get_logger().error("%s", failed)  # what ends the run is told, and this too
        finally:
            self._pool.shutdown()
