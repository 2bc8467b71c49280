"""A folder of files that were fetched from elsewhere, of bounded size, for all processes and runs of a machine at once.

Locks (flock) say who is at work, and the system gives them up for a process that dies: a file in use is locked shared, one
that is being fetched exclusively. Only unlocked files are removed, the least recently used first.
A whole file has the size it was fetched with and a time of change that follows from its name (`_stamp`), so whatever writes to
it later is seen without reading it.
"""

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from slowfast.utils.files import open_whole

_SLOTS = 256  # locks of names: files whose names share one are fetched one after the other
_POLL = 0.2
_TEMPORARY = ".tmp"


class KeptFilesError(ValueError):
    """The folder, or its bound, does not fit what is asked of it: a mistake in the config."""


class KeptFiles:
    """folder: on a disk of this machine; limit: bytes of all files in it; patience: seconds to wait for files in use"""

    def __init__(self, folder: str | Path, *, limit: int, patience: float = 60.0) -> None:
        self.folder, self.limit, self.patience = Path(folder), limit, patience

    def check(self, size: int, what: str) -> None:
        """Raises KeptFilesError for a file that can never fit."""
        if size > self.limit:
            raise KeptFilesError(
                f"{what} has {size / 1e9:.3g} GB, and all files in {self.folder} together may have {self.limit / 1e9:g}: "
                "raise DATA.REMOTE_CACHE_GB"
            )

    def drop(self, name: str) -> None:
        """Remove a file, so that it is fetched again, unless somebody reads it now."""
        _remove_unlocked(str(self.folder / name))

    @contextmanager
    def hold(self, name: str, size: int, fill: Callable[[IO[bytes]], None]) -> Iterator[Path]:
        """The file `name` of `size` bytes, which stays as long as the block runs; `fill` writes it where it is not there.

        name: a plain file name that stands for the content: another content has another name
        Whatever `fill` raises passes, and leaves nothing; an OSError is one of the disk. Raises KeptFilesError.
        """
        self.check(size, name)
        path = self.folder / name
        held = self._take(path, size)
        if held is None:
            with self._locked(f".fetching-{int(hashlib.sha256(name.encode()).hexdigest(), 16) % _SLOTS}"):
                held = self._take(path, size)  # another process may have fetched it meanwhile
                if held is None:
                    held = self._fill(path, size, fill)
        try:
            yield path
        finally:
            os.close(held)

    def _take(self, path: Path, size: int) -> int | None:
        """An open descriptor with a shared lock, None where the whole file is not there. Counts as a use."""
        while True:
            try:
                opened = os.open(path, os.O_RDONLY)
            except (FileNotFoundError, NotADirectoryError):  # a folder that cannot be made is an error later
                return None
            try:
                fcntl.flock(opened, fcntl.LOCK_SH)
                found = os.fstat(opened)
                if not found.st_nlink:  # removed between the two lines above
                    os.close(opened)
                    continue
                if found.st_size != size or int(found.st_mtime) != _stamp(path.name):  # someone else has written to it
                    path.unlink(missing_ok=True)
                    os.close(opened)
                    return None
                with suppress(PermissionError):  # a file that another user fetched keeps the time of their last use
                    os.utime(opened, ns=(time.time_ns(), found.st_mtime_ns))
                return opened
            except BaseException:
                os.close(opened)
                raise

    def _fill(self, path: Path, size: int, fill: Callable[[IO[bytes]], None]) -> int:
        try:
            return self._filled(path, size, fill)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise KeptFilesError(
                f"{self.folder}: {reason} while {size / 1e9:.3g} GB were fetched to it (DATA.REMOTE_CACHE_DIR, "
                "DATA.REMOTE_CACHE_GB)"
            ) from error

    def _filled(self, path: Path, size: int, fill: Callable[[IO[bytes]], None]) -> int:
        with ExitStack() as stack:
            sink = stack.enter_context(self._reserved(path, size))
            # The lock lives as long as any copy of the descriptor: longer than the file has its temporary name.
            held = os.dup(sink.fileno())
            try:
                fill(sink)
                stack.close()
                os.utime(held, (time.time(), _stamp(path.name)))
                fcntl.flock(held, fcntl.LOCK_SH)
                return held
            except BaseException:
                os.close(held)
                raise

    @contextmanager
    def _reserved(self, path: Path, size: int) -> Iterator[IO[bytes]]:
        """A locked temporary file that takes its room on the disk before a byte of it has come."""
        until = time.monotonic() + self.patience
        while True:
            with self._locked(".room"), ExitStack() as stack:
                if self._make_room(size):
                    sink = stack.enter_context(open_whole(path, "wb"))
                    fcntl.flock(sink, fcntl.LOCK_EX)
                    _allocate(sink, size)
                    rest = stack.pop_all()
                    break
            if time.monotonic() > until:
                raise KeptFilesError(
                    f"{self.folder}: all files in it are in use, and {size / 1e9:.3g} GB more do not fit into "
                    f"{self.limit / 1e9:g}; raise DATA.REMOTE_CACHE_GB, or lower DATA_LOADER.NUM_WORKERS"
                )
            time.sleep(_POLL)
        with rest:
            yield sink

    def _make_room(self, size: int) -> bool:
        """Remove what processes that died have left, and of the rest as much as must go. Whether `size` bytes fit."""
        kept, total = [], 0
        for entry in os.scandir(self.folder):
            if not entry.is_file(follow_symlinks=False) or (
                entry.name.startswith(".") and not entry.name.endswith(_TEMPORARY)
            ):
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # given its name, or removed, while this goes on
                continue
            if entry.name.endswith(_TEMPORARY) and _remove_unlocked(entry.path):
                continue
            kept.append((found.st_atime_ns, entry.name.endswith(_TEMPORARY), found.st_size, entry.path))
            total += found.st_size
        for _, temporary, bytes_of, file in sorted(kept):
            if total + size <= self.limit:
                break
            if not temporary and _remove_unlocked(file):
                total -= bytes_of
        return total + size <= self.limit

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = os.open(self.folder / name, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise KeptFilesError(f"{self.folder}: {error.strerror} (DATA.REMOTE_CACHE_DIR)") from error
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                raise KeptFilesError(
                    f"{self.folder}: files cannot be locked there ({error.strerror}); DATA.REMOTE_CACHE_DIR must be on a "
                    "disk of this machine"
                ) from error
            yield
        finally:
            os.close(file)


def _stamp(name: str) -> int:
    """Seconds since 1970 that a whole file of this name has as its time of change: some time before 2004, which no clock
    gives a file that is written to now."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % (1 << 30)


def _remove_unlocked(path: str) -> bool:
    """Remove a file that nobody holds; whether it is gone."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(file)


def _allocate(sink: IO[bytes], size: int) -> None:
    """Raises OSError where the disk has not that much."""
    if not size:
        return
    try:
        os.posix_fallocate(sink.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
        os.truncate(sink.fileno(), size)
