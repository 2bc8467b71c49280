"""One run in one folder: a lock on OUTPUT_DIR that ends with the process that holds it, however that ends."""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from slowfast.utils.logging import get_logger
from slowfast.utils.processes import distributed

FILE = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


@contextmanager
def owned(output: Path) -> Iterator[None]:
    """Nobody else runs in `output` while the block does. The main process holds the lock.

    Raises ValueError on every process where another run holds it, with its host, process and start. What a run left that
    was killed is taken over, and said. A file system without locks is said, too, and goes without.
    """
    file, refused = None, ""
    if distributed.is_main():
        file = open(output / FILE, "a+", encoding="utf-8")  # noqa: SIM115 (held until the block ends)
        refused = _take(file, output)
    refused = distributed.gather_objects(refused)[0]
    if refused:
        if file is not None:
            file.close()
        raise ValueError(refused)
    try:
        yield
    finally:
        if file is not None:
            file.truncate(0)  # a run that ended by itself has nothing to take over
            file.close()


def _take(file: TextIO, output: Path) -> str:
    """Lock an open file and write into it who holds it; why not, or ""."""
    file.seek(0)
    holder = who(file.read())
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return (
            f"another run is at work in {output}: {holder or 'it has not told who it is'}. Choose another OUTPUT_DIR, or stop "
            "that run first"
        )
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        get_logger().warning("%s is on a file system without locks: see to it that no other run writes there", output)
        return ""
    if holder:
        get_logger().info("%s was left by a run that did not end by itself (%s); it is taken over", output, holder)
    file.truncate(0)
    file.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "start": time.strftime("%F %T")}) + "\n")
    file.flush()
    return ""


def who(text: str) -> str:
    """Who holds a lock, from what is written in it; "" where that tells nothing."""
    try:
        told = json.loads(text)
        return f"process {told['pid']} on {told['host']}, started {told['start']}"
    except (ValueError, KeyError, TypeError):
        return ""
