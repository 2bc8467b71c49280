"""Read pickles of annotations without running anything they ask for.

A pickle may name any function to be called while it is read, and may give numpy's own makers what crashes the process: an
array of objects made of raw bytes, a dtype with false flags. Here nothing of numpy is called by a file. Arrays, dtypes
and scalars are made by the few functions below, of whole numbers, floating-point numbers and text, after every size was
compared; beside them there are Python's containers and bytes. Anything else is an error that says what was asked for.
"""

import gzip
import io
import math
import pickle
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from slowfast.utils.reading import reading

_GZIP_MAGIC = b"\x1f\x8b"
_DTYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248]|c8|c16|[SU][1-9]\d{0,5}|O8?|O4)")
_ORDERS = ("<", ">", "|", "=")


class NotPlainDataError(pickle.UnpicklingError, ValueError):
    """A pickle asks for what is not data."""


def bytes_from_text(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes in the protocols of Python 2: `_codecs.encode(text, "latin1")`."""
    if encoding not in ("latin1", "latin-1"):
        raise NotPlainDataError(f"it asks for the codec {encoding!r}, and only latin1 is used for bytes")
    return text.encode("latin1")


class PlainDtype:
    """Stands for numpy's dtype in a file: of one number, text or object, and of no fields, sub-arrays or flags."""

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        if not isinstance(code, str) or _DTYPE.fullmatch(code) is None:
            raise NotPlainDataError(
                f"it asks for the dtype {str(code)[:60]!r}, and only numbers, texts and objects are read"
            )
        self.real = np.dtype(object if code.lstrip("<>=|").startswith("O") else code)

    def __setstate__(self, state: tuple) -> None:
        """state: (version, byte order, then what must be absent, and size, alignment, flags, which are numpy's to know)."""
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in _ORDERS or any(state[2:5]):
            raise NotPlainDataError("it asks for a dtype with fields, which is not read")
        self.real = self.real.newbyteorder(state[1])


class _PlainArray:
    """Stands for an array until all of the file is read; `value` is the array itself."""

    value = np.zeros(0)

    def __setstate__(self, state: tuple) -> None:
        *_, shape, dtype, fortran, raw = state
        self.value = _array(raw, dtype, shape, "F" if fortran else "C")


def _array(raw: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    if not isinstance(dtype, PlainDtype):
        raise NotPlainDataError("it makes an array without a dtype")
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise NotPlainDataError(f"it makes an array of the shape {str(shape)[:60]}")
    count = math.prod(shape)
    if dtype.real.hasobject:
        # numpy would take raw bytes for the addresses of objects.
        if not isinstance(raw, list) or len(raw) != count:
            raise NotPlainDataError("it makes an array of objects of something else than a list of as many")
        flat = np.empty(count, dtype=object)
        for place, one in enumerate(raw):
            flat[place] = one
    else:
        if isinstance(raw, str):  # of Python 2
            raw = raw.encode("latin1")
        if not isinstance(raw, bytes | bytearray) or len(raw) != count * dtype.real.itemsize:
            raise NotPlainDataError(f"it makes an array of the shape {shape} of something else than as many bytes")
        flat = np.frombuffer(bytes(raw), dtype.real).copy()
    return flat.reshape(shape, order=order)  # type: ignore[call-overload]  # "C" or "F"


def _begin_array(kind: object, shape: object, code: object) -> _PlainArray:
    """Stands for numpy's `_reconstruct`: an array whose shape and numbers follow."""
    return _PlainArray()


def _array_at_once(raw: Any, dtype: Any, shape: Any, order: str, axes: Any = None) -> np.ndarray:
    """Stands for numpy's `_frombuffer`, protocol 5."""
    if order == "K" and axes is not None:
        return _array(raw, dtype, shape, "C").transpose(axes)
    return _array(raw, dtype, shape, "F" if order == "F" else "C")


def _number(dtype: Any, raw: Any = b"") -> Any:
    """Stands for numpy's `scalar`: a number or text of numpy's."""
    return _array(raw, dtype, (), "C")[()]


# A single number of numpy's, as torch.serialization.safe_globals takes it: makers with their names in files.
NUMPY_NUMBERS: list[Any] = [
    *((_number, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    (bytes_from_text, "_codecs.encode"),
    (PlainDtype, "numpy.dtype"),
]
_ARRAY_TYPE = "numpy.ndarray"  # named by files, and never called


def _refuse_sizes(kind: type) -> Any:
    """bytes or bytearray of what they are made of; of a size they would fill the memory with nothing."""

    def make(*given: Any) -> Any:
        if given and not isinstance(given[0], str | bytes | bytearray | list | tuple):
            raise NotPlainDataError(f"it makes {kind.__name__} of {str(given[0])[:40]}")
        return kind(*given)

    return make


_NUMPY = {("multiarray", "_reconstruct"): _begin_array, ("multiarray", "scalar"): _number}
_ALLOWED: dict[tuple[str, str], Any] = {
    **{(f"numpy.{core}.{module}", name): made for core in ("core", "_core") for (module, name), made in _NUMPY.items()},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _array_at_once for core in ("core", "_core")},
    ("numpy", "ndarray"): _ARRAY_TYPE,
    ("numpy", "dtype"): PlainDtype,
    ("_codecs", "encode"): bytes_from_text,
    ("collections", "OrderedDict"): OrderedDict,
    **{
        (module, kind.__name__): _refuse_sizes(kind) if kind in (bytes, bytearray) else kind
        for module in ("builtins", "__builtin__")
        for kind in (dict, list, tuple, set, frozenset, bytes, bytearray, str, int, float, bool, complex)
    },
}


class _DataUnpickler(pickle._Unpickler):
    """Python's own reader written in Python: the one in C reserves as much memory as a file asks for in one instruction."""

    stack: list[Any]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise NotPlainDataError(
                f"it asks for {module}.{name}, which is not data: only numpy arrays, dtypes and scalars and Python's "
                "containers are read"
            )
        return _ALLOWED[module, name]

    def persistent_load(self, identity: Any) -> Any:
        raise NotPlainDataError(f"it refers to an object outside the file ({str(identity)[:40]!r})")

    def load_build(self) -> None:
        """A state for an array or a dtype; of anything else it would set attributes, of the makers above among them."""
        state, made = self.stack.pop(), self.stack[-1]
        if not isinstance(made, _PlainArray | PlainDtype):
            raise NotPlainDataError(f"it gives a state to {type(made).__name__}")
        made.__setstate__(state)

    dispatch: ClassVar = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: load_build}  # type: ignore[dict-item]


def _finished(value: Any, done: dict[int, Any]) -> Any:
    """The arrays themselves in place of what stands for them. done: id -> result, of what was met already."""
    if id(value) in done:
        return done[id(value)]
    result: Any = value
    if isinstance(value, _PlainArray):
        result = _finished(value.value, done)
    elif isinstance(value, PlainDtype):
        result = value.real
    elif isinstance(value, np.ndarray) and value.dtype.hasobject:
        for place, one in enumerate(value.flat):
            value.flat[place] = _finished(one, done)
    elif isinstance(value, dict):  # an OrderedDict, too
        for key, one in list(value.items()):
            if isinstance(key, _PlainArray | PlainDtype):
                raise NotPlainDataError("it has an array or a dtype for a key")
            value[key] = _finished(one, done)
    elif isinstance(value, list):
        value[:] = [_finished(one, done) for one in value]
    elif type(value) in (tuple, set, frozenset):
        result = type(value)(_finished(one, done) for one in value)
    elif value is not None and not isinstance(
        value, str | bytes | bytearray | int | float | complex | np.generic | np.ndarray
    ):
        raise NotPlainDataError(f"it holds {getattr(value, '__name__', type(value).__name__)}, which is not data")
    done[id(value)] = result
    return result


def read_pickle(path: str | Path) -> Any:
    """The content of a pickle of any protocol, gzipped or not; text of Python 2 is read as latin1.

    Raises FileNotFoundError, or ValueError naming the file and what is wrong with it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with reading(path, "not a pickle of plain data"):
        data = path.read_bytes()
        if data.startswith(_GZIP_MAGIC):
            data = gzip.decompress(data)
        made = _DataUnpickler(io.BytesIO(data), encoding="latin1").load()
        return _finished(made, {})
