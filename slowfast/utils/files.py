"""The one way to write a whole file: under a temporary name beside it, then renamed, so that it is whole or as before."""

import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_UMASK = os.umask(0o022)
os.umask(_UMASK)  # it can be asked for by setting it only
LONG_AGO = 600.0  # seconds after which a temporary file that nobody has changed is nobody's
_TEMPORARY = re.compile(r"\..+\.(\d+)-[0-9a-f]{8}\.tmp")
UNTOUCHED = "what was there before is untouched"


class FileWriteError(OSError):
    """A file could not be written; `errno` is that of the error behind it, None where that has none."""


@contextmanager
def whole_file(
    path: str | Path, *, failures: tuple[type[Exception], ...] = (OSError,), note: str = UNTOUCHED
) -> Iterator[Path]:
    """Gives a temporary name beside `path` to write to; on leaving, that file is flushed to disk and renamed to `path`.

    For writers that take a name; others use `open_whole`, `write_text` or `write_bytes`. The name is of this process
    and this call alone, starts with a dot and ends in ".tmp". Whatever goes wrong, Ctrl-C too, the temporary file goes
    and `path` stays as it was; one of `failures` becomes a FileWriteError that names `path` and ends in `note`.
    A device or a pipe (/dev/stdout) has nothing to keep whole: it is written to itself.
    """
    path = Path(path)
    in_place = path.parent == Path("/dev") or (path.exists() and not path.is_file() and not path.is_dir())
    temporary = path if in_place else path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        if not in_place:
            _flush_to_disk(temporary)
            temporary.chmod(0o666 & ~_UMASK)  # some libraries create files that nobody else may read
            os.replace(temporary, path)
    except FileWriteError:  # of another file, written while this one was
        raise
    except failures as error:
        failed = FileWriteError(f"could not write {path}: {_reason(error)}; {note}")
        failed.errno = getattr(error, "errno", None)
        raise failed from error
    finally:
        if not in_place:
            temporary.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    """The message without the temporary name."""
    if isinstance(error, OSError) and error.strerror:
        return f"[Errno {error.errno}] {error.strerror}"
    return str(error)


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def open_whole(
    path: str | Path, mode: str = "w", *, failures: tuple[type[Exception], ...] = (OSError,), note: str = UNTOUCHED
) -> Iterator[IO[Any]]:
    """The open file for what is to be at `path`, which appears there once the block has ended; see `whole_file`.

    mode: "w" for text (UTF-8, line ends as written) or "wb"
    """
    if mode not in ("w", "wb"):
        raise ValueError(f"a whole file is written with mode 'w' or 'wb', got {mode!r}")
    encoding, newline = ("utf-8", "") if mode == "w" else (None, None)
    with (
        whole_file(path, failures=failures, note=note) as temporary,
        open(temporary, mode, encoding=encoding, newline=newline) as file,
    ):
        yield file


def write_text(text: str, path: str | Path) -> None:
    """All of a text file, UTF-8, or OSError and what was there before."""
    with open_whole(path) as file:
        file.write(text)


def write_bytes(content: bytes, path: str | Path) -> None:
    """All of a file, or OSError and what was there before."""
    with open_whole(path, "wb") as file:
        file.write(content)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Gives an empty folder beside `path` to fill (with `write_loose`); on leaving it is renamed to `path`.

    `path` must not be there. Whatever goes wrong, Ctrl-C too, the half-filled folder goes and `path` does not appear.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} is there already")
    path.parent.mkdir(parents=True, exist_ok=True)
    filling = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    filling.mkdir()
    try:
        yield filling
        os.replace(filling, path)
    finally:
        shutil.rmtree(filling, ignore_errors=True)


def remove_left_by_killed(folder: Path, *, seconds: float = LONG_AGO) -> list[Path]:
    """Delete half files and folders below `folder` that processes of this machine left when they were killed; their paths.

    seconds: what was changed since is kept: a process of another machine may be writing it
    """
    gone = []
    for path in sorted(folder.rglob(".*.tmp")):
        written_by = _TEMPORARY.fullmatch(path.name)
        if written_by is None or _is_alive(int(written_by[1])):
            continue
        try:
            if time.time() - path.stat().st_mtime < seconds:
                continue
        except FileNotFoundError:  # finished meanwhile, by another machine
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        gone.append(path)
    return gone


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


def remove_folder(path: Path) -> None:
    """Delete a folder, which is gone under its name at once: a kill leaves it whole, or a temporary one."""
    aside = path
    if not path.name.startswith("."):
        aside = path.with_name(f".{path.name}.old.tmp")
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(path, aside)
    shutil.rmtree(aside)


def write_loose(content: bytes, path: Path) -> None:
    """A file inside a folder that is not finished: only the folder is whole or absent, and nothing waits for the disk."""
    with open(path, "wb") as file:
        file.write(content)
