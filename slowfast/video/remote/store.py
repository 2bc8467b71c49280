"""Files of an object store or a web server, through fsspec: what there is, and the bytes, within limits of time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any, TypeVar

import fsspec

from slowfast.utils.missing import MissingPackageError
from slowfast.utils.reading import reason_of
from slowfast.video.remote.address import Address

CHUNK = 8 << 20  # bytes that are asked for at once, and must come within the time limit
_LONGEST_WAIT = 30.0  # seconds between two tries
# What says that a file is the same as before, the best first; stores tell one or the other.
_TAGS = ("ETag", "etag", "md5Hash", "generation", "mtime", "LastModified", "Last-Modified", "last_modified", "updated")
_PIP = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("http", "https"), '"fsspec[http]"'),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    "hf": "huggingface_hub",
}
_FINAL = (FileNotFoundError, PermissionError)  # another try gives the same
_T = TypeVar("_T")


class StoreError(ValueError):
    """A store that cannot be used at all: a mistake in the config, or it does not answer when a run starts."""


class FetchError(Exception):
    """Why a file of a store cannot be had."""


@dataclass(frozen=True)
class RemoteFile:
    """name: below the root; size: in bytes, None where the store does not tell

    tag: differs where the file has changed; md5: its checksum in hexadecimal, "" where the store gives none; sure_md5:
    False for an S3 ETag, which is the MD5 sum of most files and something else for encrypted ones
    start, member: of a part of a file: its first byte, and what it is called; `size` is then that of the part
    """

    name: str
    size: int | None
    tag: str
    md5: str = ""
    sure_md5: bool = True
    start: int = 0
    member: str = ""


class Store:
    """The files below a URL. Fit to be sent to loader processes: each opens its own connection.

    tries:   of every request; between two of them 1, 2, 4, ... seconds pass, at most 30
    seconds: without an answer, or without 8 MB of a file, after which a try is given up
    """

    def __init__(self, root: str, *, tries: int = 4, seconds: float = 60.0) -> None:
        self.address, self.tries, self.seconds = Address(root), tries, seconds
        self._fs: Any = None
        self._silent = False  # all tries of a request were in vain: until one succeeds, others have one try only

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_fs": None}

    @property
    def lists(self) -> bool:
        """Whether it can tell what is in a folder; web servers cannot."""
        return self.address.protocol not in ("http", "https")

    def connect(self) -> None:
        """Raises StoreError where the store does not answer or has no such folder, MissingPackageError that says what to
        install."""
        try:
            if not self.lists:  # whatever it says of the folder is an answer
                self._asked(lambda fs: fs.info(self.address.real()))
                return
            if self._asked(lambda fs: fs.exists(self.address.real())):
                return
        except FetchError as error:
            if isinstance(error.__cause__, _FINAL) and not self.lists:
                return
            raise StoreError(f"{self.address.shown}: {error}") from error
        raise StoreError(f"{self.address.shown}: the store answers, and has nothing there")

    def info(self, name: str) -> RemoteFile | None:
        """None where there is no such file. Raises FetchError."""
        try:
            found = self._asked(lambda fs: fs.info(self.address.real(name)))
        except FetchError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        return None if found.get("type") == "directory" else _remote_file(name, found)

    def listing(self, folder: str) -> dict[str, RemoteFile]:
        """The files of a folder below the root ("": the root) by their names in it. Raises FetchError."""
        try:
            found = self._asked(lambda fs: fs.ls(self.address.real(folder), detail=True))
        except FetchError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return {}
            raise
        names = ((PurePosixPath(info["name"]).name, info) for info in found if info["type"] != "directory")
        return {base: _remote_file(f"{folder}/{base}" if folder else base, info) for base, info in names}

    def forget(self) -> None:
        """What the backend remembers of folders: something there has changed."""
        if self._fs is not None:
            self._fs.invalidate_cache()

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """All of a small file, or the bytes from `start` up to `stop`. Raises FetchError."""
        content = bytes(self._asked(lambda fs: fs.cat_file(self.address.real(name), start=start, end=stop)))
        if stop is not None and len(content) != stop - start:
            raise FetchError(
                f"{len(content)} bytes came where bytes {start} to {stop} were asked for: a server must give parts of files "
                "(HTTP ranges)"
            )
        return content

    def fetch(self, file: RemoteFile, sink: IO[bytes]) -> None:
        """Write the file to `sink`, from its beginning, and compare size and checksum.

        Raises FetchError after the last try; an OSError of the sink (a full disk) passes.
        """
        before = ""

        def once(fs: Any) -> None:
            nonlocal before
            sink.seek(0)
            total, md5 = 0, hashlib.md5(usedforsecurity=False)
            for chunk in self._chunks(fs, file):
                try:
                    sink.write(chunk)
                except OSError as error:
                    raise _SinkError from error
                md5.update(chunk)
                total += len(chunk)
            if file.size is not None and total != file.size:
                raise FetchError(f"{total} bytes came of {file.size}")
            got, twice = md5.hexdigest(), before
            before = got
            # The same bytes twice were not damaged on their way: then the ETag is no checksum of them.
            if file.md5 and got != file.md5 and (file.sure_md5 or got != twice):
                raise FetchError(f"its checksum is {got}, and the store says {file.md5}")
            sink.truncate(total)

        try:
            self._asked(once, limited=False)
        except _SinkError as error:
            assert isinstance(error.__cause__, OSError)
            raise error.__cause__ from None

    def _chunks(self, fs: Any, file: RemoteFile) -> Iterator[bytes]:
        url = self.address.real(file.name)
        source = self._limited(lambda: fs.open(url, "rb", block_size=CHUNK, cache_type="none"))
        left = file.size if file.member else None  # of a part of a file

        def following() -> bytes:
            return bytes(source.read(CHUNK if left is None else min(CHUNK, left)))

        try:
            if file.member:
                source.seek(file.start)
            while left is None or left > 0:
                chunk = self._limited(following)
                if not chunk:
                    break
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            source.close()

    def _asked(self, request: Callable[[Any], _T], *, limited: bool = True) -> _T:
        """request(file system), as often as it takes. limited: all of it within the time limit"""
        tries = 1 if self._silent else self.tries
        failure: Exception | None = None
        for number in range(tries):
            if number:
                time.sleep(min(_LONGEST_WAIT, 2.0 ** (number - 1)))
            try:
                fs = self._file_system()
                answer = self._limited(partial(request, fs)) if limited else request(fs)
                self._silent = False
                return answer
            except (_SinkError, MissingPackageError, StoreError):
                raise
            except _FINAL as error:
                failure = _behind(error)
                if failure is None:
                    raise FetchError(self._told(error)) from error
            except Exception as error:  # whatever a backend throws
                failure = error
        assert failure is not None
        self._silent = True
        times = "1 try" if tries == 1 else f"{tries} tries"
        raise FetchError(f"given up after {times} (DATA.REMOTE_TRIES): {self._told(failure)}") from failure

    def _limited(self, work: Callable[[], _T]) -> _T:
        """work() in a thread that is left to itself when its time is over: no backend can be made to stop."""
        answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

        def run() -> None:
            try:
                answers.put((True, work()))
            except BaseException as error:
                answers.put((False, error))

        threading.Thread(target=run, daemon=True).start()
        try:
            done, answer = answers.get(timeout=self.seconds)
        except queue.Empty:
            raise TimeoutError(f"no answer for {self.seconds:g} s (DATA.REMOTE_TIMEOUT)") from None
        if not done:
            raise answer
        return answer

    def _told(self, error: Exception) -> str:
        text, kind = reason_of(error), type(error).__name__
        if isinstance(error, FetchError):
            text = str(error)
        elif not text.startswith(kind):
            text = f"{kind}: {text}"
        return self.address.scrubbed(text)

    def _file_system(self) -> Any:
        if self._fs is None:
            shown, protocol = self.address.shown, self.address.protocol
            real = self.address.real()
            try:
                self._fs, _ = fsspec.core.url_to_fs(real)
            except ImportError as error:
                package = _PIP.get(protocol)
                advice = f"pip install {package}" if package else self.address.scrubbed(reason_of(error))
                raise MissingPackageError(
                    f"{shown}: {protocol}:// needs a package that is not installed: {advice}"
                ) from None
            except ValueError as error:
                raise StoreError(f"{shown}: {self.address.scrubbed(reason_of(error))}") from None
        return self._fs


def _behind(error: Exception) -> Exception | None:
    """fsspec says FileNotFoundError of a web server that cannot be reached, or is in trouble: the error behind it."""
    cause = error.__cause__
    unreachable = isinstance(cause, OSError) and not isinstance(cause, _FINAL)
    troubled = isinstance(cause, Exception) and (getattr(cause, "status", None) or 0) >= 500
    return cause if isinstance(cause, Exception) and (unreachable or troubled) else None


class _SinkError(Exception):
    """Its cause is an OSError of the file that is written to."""


def _remote_file(name: str, info: dict[str, Any]) -> RemoteFile:
    """From what fsspec tells of a file, which each backend names in its own way."""
    tag = next((f"{key}={info[key]}" for key in (*_TAGS, "created") if info.get(key) is not None), "")
    told = info.get("md5Hash") or info.get("Content-MD5") or (info.get("content_settings") or {}).get("content_md5")
    etag = str(info.get("ETag") or info.get("etag") or "").strip('"')
    if told:
        return RemoteFile(name, info.get("size"), tag, _hexadecimal(told))
    if re.fullmatch("[0-9a-f]{32}", etag):
        return RemoteFile(name, info.get("size"), tag, etag, sure_md5=False)
    return RemoteFile(name, info.get("size"), tag)


def _hexadecimal(told: str | bytes) -> str:
    """MD5 sums come as bytes, in base64 or in hexadecimal; "" for anything else."""
    if isinstance(told, bytes | bytearray):
        return bytes(told).hex()
    if re.fullmatch("[0-9a-fA-F]{32}", told):
        return told.lower()
    try:
        return base64.b64decode(told, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""
