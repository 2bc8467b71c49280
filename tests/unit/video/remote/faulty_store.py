"""A store in memory that fails as it is told: `faulty://`, known to fsspec while the fixture of the tests lives."""

import hashlib
import threading
from collections.abc import Callable
from typing import Any

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class FaultyStore(MemoryFileSystem):
    """before: called with "info", "ls", "open" or "read" before each such request, and may raise or wait

    damage: bytes read -> bytes that arrive; checksums: what `info` and `ls` add to a file, from its bytes
    """

    protocol = "faulty"
    store: dict[str, Any] = {}  # noqa: RUF012  (MemoryFileSystem's own way)
    pseudo_dirs: list[str] = [""]  # noqa: RUF012
    before: Callable[[str], None] | None = None
    damage: Callable[[bytes], bytes] | None = None
    checksums: Callable[[bytes], dict[str, str]] | None = None
    asked: list[str] = []  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace("faulty://", "memory://"))

    @classmethod
    def reset(cls) -> None:
        cls.store, cls.pseudo_dirs, cls.asked = {}, [""], []
        cls.before = cls.damage = cls.checksums = None
        fsspec.register_implementation("faulty", cls, clobber=True)

    @classmethod
    def put(cls, path: str, content: bytes) -> None:
        cls().pipe_file(f"faulty://{path}", content)

    def _ask(self, what: str) -> None:
        type(self).asked.append(what)
        if type(self).before is not None:
            type(self).before(what)

    def info(self, path: str, **more: Any) -> dict[str, Any]:
        self._ask("info")
        return self._with_checksum(super().info(path, **more))

    def _with_checksum(self, found: dict[str, Any]) -> dict[str, Any]:
        if type(self).checksums is None or found["type"] != "file":
            return found
        return found | type(self).checksums(self.store[self._strip_protocol(found["name"])].getvalue())

    def ls(self, path: str, detail: bool = True, **more: Any) -> list[Any]:
        self._ask("ls")
        found = super().ls(path, detail=detail, **more)
        return [self._with_checksum(one) for one in found] if detail else found

    def exists(self, path: str, **more: Any) -> bool:
        self._ask("exists")
        return super().exists(path, **more)

    def open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        if mode != "rb":
            return super().open(path, mode, **more)
        self._ask("open")
        return _Reader(self, super().open(path, mode).getvalue())


class _Reader:
    def __init__(self, store: FaultyStore, content: bytes) -> None:
        self.store, self.at = store, 0
        damage = type(store).damage
        self.content = content if damage is None else damage(content)

    def read(self, count: int = -1) -> bytes:
        self.store._ask("read")
        part = self.content[self.at :][: count if count >= 0 else None]
        self.at += len(part)
        return part

    def seek(self, place: int) -> None:
        self.at = place

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held."""


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


class Failing:
    """Raises `error` for the first `times` requests of a kind."""

    def __init__(self, kind: str, times: int, error: Exception) -> None:
        self.kind, self.left, self.error = kind, times, error

    def __call__(self, what: str) -> None:
        if what == self.kind and self.left:
            self.left -= 1
            raise self.error


class Hanging:
    """Waits at every request of a kind until `released`."""

    def __init__(self, kind: str) -> None:
        self.kind, self.released = kind, threading.Event()

    def __call__(self, what: str) -> None:
        if what == self.kind:
            self.released.wait(30)
