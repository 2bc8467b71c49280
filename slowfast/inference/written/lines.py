"""The `.jsonl` of a source, line by line as it is found."""

import errno
import os
from pathlib import Path
from typing import IO

from slowfast.inference.written.records import Record
from slowfast.inference.written.results import line_of
from slowfast.utils.files import FileWriteError


class Lines:
    """A file of records, as a context manager; begun with the first line after the header, so that nothing is lost or left
    where the source cannot be read at all. Whatever goes wrong, it ends with a whole line."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._file: IO[bytes] | None = None
        self._header: Record = {}
        self._whole = 0  # bytes of whole lines

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def start_with(self, header: Record) -> None:
        self._header = header

    def write(self, record: Record) -> None:
        """Raises FileWriteError, a full disk say; the lines before stay."""
        lines = line_of(record)
        if self._file is None:
            # Unbuffered: a line is on its way when it is written, and nothing is left for a full disk to refuse later.
            self._file = open(self._path, "wb", buffering=0)  # noqa: SIM115
            lines = line_of(self._header) + lines
        content = lines.encode()
        try:
            # Fewer bytes than asked for are written where the disk is full.
            if (written := self._file.write(content)) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            if self._path.is_file():
                self._file.truncate(self._whole)
            raise FileWriteError(
                f"could not write {self._path}: {error.strerror}; the lines before stay, and so do the files of other videos"
            ) from error
        self._whole += written
