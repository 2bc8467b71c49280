"""The temporary folder of a page, and those that killed pages have left.

A page holds a lock on a file in its folder for as long as it lives. The system gives the lock up whatever ends the page,
so a folder whose lock can be taken belongs to nobody.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

PREFIX = "bmvit-serve-"
LOCK = "in-use"


@contextmanager
def page_folder(say: Callable[[str], None]) -> Iterator[Path]:
    """An empty folder that only its user can read, removed at the end; before it, what killed pages have left goes.

    say: is told of each folder of theirs that was removed
    """
    remove_leftovers(Path(tempfile.gettempdir()), say)
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / LOCK).touch()
        with open(folder / LOCK, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield folder


def remove_leftovers(folder: Path, say: Callable[[str], None]) -> None:
    """Remove the folders in `folder` of this user's pages that are dead. One without a lock file is left alone: it may be
    that of a page which is just starting."""
    for left in sorted(folder.glob(f"{PREFIX}*")):
        with ExitStack() as stack:
            if (lock := _lock_of(left)) is None:
                continue
            stack.enter_context(lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # its page lives, or this file system has no locks
                continue
            megabytes = sum(file.stat().st_size for file in left.rglob("*") if file.is_file()) / 1e6
            try:
                shutil.rmtree(left)
            except OSError as error:
                say(
                    f"a page that was killed has left {left} ({megabytes:.1f} MB), which cannot be removed: {error.strerror}"
                )
            else:
                say(f"removed {left} ({megabytes:.1f} MB), which a page that was killed had left")


def _lock_of(folder: Path) -> IO[bytes] | None:
    """The open lock file of a page's folder; None where it is none, or another user's."""
    try:
        told = folder.lstat()
        if not stat.S_ISDIR(told.st_mode) or told.st_uid != os.getuid():
            return None
        file = open(folder / LOCK, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW))  # noqa: SIM115
    except OSError:
        return None
    return file
