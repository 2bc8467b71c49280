"""What goes wrong while a file of a user is read, as one error that names the file: the one place each reader shares."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_SHOWN = 300  # letters of what a library says


@contextmanager
def reading(path: str | Path, what: str = "") -> Iterator[None]:
    """Whatever is thrown inside becomes a ValueError "PATH: WHAT: REASON", but for errors that name `path` already.

    what: what the file is not, "not an archive", where the reasons do not tell; "" leaves it out
    A library throws what it likes for a damaged file (KeyError, RecursionError, zlib.error, OverflowError), and a list of
    these is never complete. FileNotFoundError and the like pass where they name the file. A mistake of our own comes out
    the same way; the error behind it is its cause.
    """
    what = f"{what}: " if what else ""
    try:
        yield
    except (ValueError, OSError) as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: {what}{reason_of(error)}") from error
    except Exception as error:
        raise ValueError(f"{path}: {what}{reason_of(error)}") from error


def names_its_file(what: str = "") -> Callable[[Callable[Concatenate[Any, P], R]], Callable[Concatenate[Any, P], R]]:
    """Decorate a reader whose first argument is a file, or a folder of files, so that all of it is inside `reading`."""

    def decorate(reader: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
        @wraps(reader)
        def read(path: Any, /, *rest: P.args, **named: P.kwargs) -> R:
            with reading(path, what):
                return reader(path, *rest, **named)

        return read

    return decorate


def reason_of(error: BaseException) -> str:
    """One line of it: the message of a ValueError, others with their type ("KeyError 'boxes'")."""
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    text = " ".join(str(error).split())
    text = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    if not text:
        return type(error).__name__
    told = isinstance(error, ValueError | OSError | SyntaxError) or hasattr(error, "reason")  # as of a ClipReadError
    return text if told else f"{type(error).__name__} {text}"
