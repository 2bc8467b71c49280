"""The checksum in a file of weights: a zip archive whose comment is the SHA-256 of every byte before it.

torch writes zip archives and checks none of their bytes when it reads them. The comment is part of the format, so the file
stays one that torch, zipfile and everybody else reads.
"""

import contextlib
import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any, cast

import torch

_PREFIX = b"sha256:"
_COMMENT = len(_PREFIX) + 64
_END = 22  # bytes of zip's end record without a comment; its last two are the length of the comment
_END_SIGNATURE = b"PK\x05\x06"
_CHUNK = 1 << 22
_HASHED: ContextVar[dict[tuple, str] | None] = ContextVar("checksums computed so far", default=None)


class DamagedFileError(ValueError):
    """The bytes of a file are not those that were written."""


class _Hashing:
    """Passes on what is written but for the last bytes, the zip's end record, which `finish` completes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._digest, self._tail = file, hashlib.sha256(), b""

    def write(self, data: Any) -> int:
        held = self._tail + bytes(data)
        self._pass_on(held[:-_END])
        self._tail = held[-_END:]
        return len(data)

    def flush(self) -> None:
        """Nothing: the file is flushed by whoever opened it."""

    def finish(self) -> None:
        if not self._tail.startswith(_END_SIGNATURE) or self._tail[-2:] != b"\0\0":
            raise RuntimeError("this version of torch does not end its files as a zip archive, so none can be sealed")
        self._pass_on(self._tail[:-2] + _COMMENT.to_bytes(2, "little"))
        self._file.write(_PREFIX + self._digest.hexdigest().encode())

    def _pass_on(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)


@contextlib.contextmanager
def hashing_once() -> Iterator[None]:
    """While the block runs, this thread does not read a file again for its checksum that is the file it was: same inode, size
    and time of change. A run asks three times before it goes on from a checkpoint."""
    before = _HASHED.set({})
    try:
        yield
    finally:
        _HASHED.reset(before)


def sha256_of(path: str | Path, *, without_last: int = 0) -> str:
    """Of the bytes of a file but for the last ones, 64 hexadecimal digits. Raises OSError."""
    hashed = _HASHED.get()
    with open(path, "rb") as file:
        state = os.fstat(file.fileno())
        key = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, without_last)
        if hashed is not None and key in hashed:
            return hashed[key]
        digest, left = hashlib.sha256(), max(state.st_size - without_last, 0)
        while left and (chunk := file.read(min(left, _CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
    if hashed is not None:
        hashed[key] = digest.hexdigest()
    return digest.hexdigest()


def save_sealed(content: dict[str, Any], file: IO[bytes]) -> None:
    """torch.save with the checksum."""
    sealed = _Hashing(file)
    torch.save(content, cast(IO[bytes], sealed))
    sealed.finish()


def digest_of(path: str | Path) -> str | None:
    """The checksum that a file tells of itself, 64 hexadecimal digits; None where it has none. Nothing is compared.

    Raises DamagedFileError where there is one that cannot be read.
    """
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - _END - _COMMENT, 0))
        tail = file.read()
    end = tail.rfind(_END_SIGNATURE)
    comment = tail[-_COMMENT:] if end < 0 else tail[end + _END :]
    if end >= 0 and int.from_bytes(tail[end + _END - 2 : end + _END], "little") != len(comment):
        raise DamagedFileError("it is cut off or damaged (the end of the archive is not where it should be)")
    if len(comment) != _COMMENT or not (end == 0 or comment.startswith(_PREFIX)):
        return None
    text = comment[len(_PREFIX) :].decode("ascii", "replace")
    if not comment.startswith(_PREFIX) or any(digit not in "0123456789abcdef" for digit in text):
        raise DamagedFileError("its bytes are not those that were written (its checksum cannot be read)")
    return text


def check_whole(path: str | Path) -> None:
    """Compare the bytes of a file with its checksum, or, in a zip archive that has none, each part with its CRC-32.

    Raises DamagedFileError where they differ; OSError where the file cannot be read. A file that is no zip archive (torch
    before 1.6) tells nothing to compare with.
    """
    told = digest_of(path)
    if told is not None:
        if sha256_of(path, without_last=_COMMENT) != told:
            raise DamagedFileError("its bytes are not those that were written (SHA-256 differs)")
        return
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, KeyError) as error:
        raise DamagedFileError(str(error)) from error
    if bad is not None:
        raise DamagedFileError(f"its bytes are not those that were written (CRC-32 of {bad} differs)")
