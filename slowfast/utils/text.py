"""Text files that users give: read as UTF-8, with or without a byte-order mark, and told what else they are."""

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slowfast.utils.reading import reading

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_GZIP = b"\x1f\x8b"


def printable(text: str) -> str:
    """On one line, and without what a terminal obeys: a name with a line break or a control character shows it as "\\n"."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def read_text(path: str | Path) -> str:
    """The whole file, line ends as "\\n". Raises FileNotFoundError, or ValueError (see `open_text`)."""
    with open_text(path, newline=None) as file:
        return file.read()


def read_json(path: str | Path) -> Any:
    """What a JSON file holds. Raises FileNotFoundError, or ValueError that names the file and the place."""
    text = read_text(path)
    if not text.strip():
        raise ValueError(f"{path}: the file is empty, expected JSON")
    with reading(path, "not a JSON file"):
        return json.loads(text)


@contextmanager
def open_text(path: str | Path, *, newline: str | None = "") -> Iterator[io.TextIOBase]:
    """The file open for reading, `.gz` unpacked, without its byte-order mark; newline as in `open`.

    What is read inside and is no UTF-8 becomes a ValueError that names file and line, says what it seems to be, and
    what to do; whatever else goes wrong inside, one that names the file (`reading`).
    """
    path = Path(path)
    opened = gzip.open if path.suffix == ".gz" else open
    with reading(path), opened(path, "rt", encoding="utf-8-sig", newline=newline) as file:
        try:
            yield file
        except UnicodeDecodeError:
            raise ValueError(not_utf8(path)) from None


def not_utf8(path: str | Path) -> str:
    """What a file is that cannot be read as UTF-8, and what to do. Reads it once more."""
    path = Path(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            data = file.read()
    except (OSError, EOFError, zlib.error) as error:
        return f"{path}: the archive is damaged: {error}"
    if data.startswith(_UTF16):
        return f"{path}: the file is UTF-16 text (Windows calls it Unicode); save it as UTF-8"
    if data.startswith(_GZIP):
        return f"{path}: the file is packed with gzip; unpack it"
    if b"\0" in data:
        return f"{path}: the file is binary, expected text in UTF-8"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        number, line_start = data.count(b"\n", 0, error.start) + 1, data.rfind(b"\n", 0, error.start) + 1
        line = data[line_start:].partition(b"\n")[0].rstrip(b"\r").decode("cp1252", errors="replace")
        return (
            f"{path}: line {number} is not UTF-8: byte 0x{data[error.start]:02x} at "
            f"column {error.start - line_start + 1}; in Windows' encoding (CP1252) it reads {line[:80]!r}. Save the file "
            "as UTF-8"
        )
    return f"{path}: cannot be read as UTF-8 text"
