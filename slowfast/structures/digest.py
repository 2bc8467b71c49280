"""One short text for all that a structure holds, to tell whether two processes or two runs have the same."""

import dataclasses
import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np


def digest(value: Any) -> str:
    """16 hexadecimal digits of a SHA-256 over nested dataclasses, sequences, arrays and plain values, types included."""
    found = hashlib.sha256()
    for part in _parts(value):
        found.update(part)
    return found.hexdigest()[:16]


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, np.ndarray):
        yield f"array {value.dtype} {value.shape}:".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield f"{type(value).__name__}:".encode()
        for field in dataclasses.fields(value):
            yield from _parts(getattr(value, field.name))
    elif isinstance(value, list | tuple):
        yield f"{len(value)} of:".encode()
        for item in value:
            yield from _parts(item)
    else:
        yield f"{type(value).__name__} {value!r};".encode()
