"""The `.jsonl` of a source, line by line as it is found."""

from pathlib import Path
from typing import IO

from slowfast.inference.written.records import Record
from slowfast.inference.written.results import line_of


class Lines:
    """A file of records, as a context manager; begun with the first line after the header, so that nothing is lost or left
    where the source cannot be read at all. Every line is whole once `write` is back."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._file: IO[str] | None = None
        self._header: Record = {}

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def start_with(self, header: Record) -> None:
        self._header = header

    def write(self, record: Record) -> None:
        if self._file is None:
            self._file = open(self._path, "w", encoding="utf-8", newline="")  # noqa: SIM115
            self._file.write(line_of(self._header))
        self._file.write(line_of(record))
        self._file.flush()
