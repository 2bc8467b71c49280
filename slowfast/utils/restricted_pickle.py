"""Read pickles of annotations without running anything they ask for.

A pickle may name any function to be called while it is read. Here only what plain data needs can be named: numpy
arrays, dtypes and scalars, and Python's containers and bytes. Anything else is an error that says what was asked for.
"""

import gzip
import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

_GZIP_MAGIC = b"\x1f\x8b"


def bytes_from_text(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes in the protocols of Python 2: `_codecs.encode(text, "latin1")`."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it asks for the codec {encoding!r}, and only latin1 is used for bytes")
    return text.encode("latin1")


# What arrays and numpy scalars are rebuilt with, asked of numpy itself: its modules have changed names.
_NUMPY: dict[tuple[str, str], Any] = {
    ("multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
    ("multiarray", "scalar"): np.float64(0).__reduce__()[0],
    ("numeric", "_frombuffer"): np.zeros(0).__reduce_ex__(5)[0],
}
# A single number of numpy's, as torch.serialization.safe_globals takes it: makers with their names in files, and types.
NUMPY_NUMBERS: list[Any] = [
    *((_NUMPY["multiarray", "scalar"], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    (bytes_from_text, "_codecs.encode"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float64", "float32", "int64", "int32", "bool")),
]
_ALLOWED: dict[tuple[str, str], Any] = {
    **{(f"numpy.{core}.{module}", name): made for core in ("core", "_core") for (module, name), made in _NUMPY.items()},
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): bytes_from_text,
    ("collections", "OrderedDict"): OrderedDict,
    **{
        (module, kind.__name__): kind
        for module in ("builtins", "__builtin__")
        for kind in (dict, list, tuple, set, frozenset, bytes, bytearray, str, int, float, bool, complex)
    },
}


class _DataUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which is not data: only numpy arrays, dtypes and scalars and Python's "
                "containers are read"
            )
        return _ALLOWED[module, name]

    def persistent_load(self, identity: Any) -> Any:
        raise pickle.UnpicklingError(f"it refers to an object outside the file ({str(identity)[:40]!r})")


def read_pickle(path: str | Path) -> Any:
    """The content of a pickle of any protocol, gzipped or not; text of Python 2 is read as latin1.

    Raises FileNotFoundError, or ValueError naming the file and what is wrong with it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    data = path.read_bytes()
    try:
        if data.startswith(_GZIP_MAGIC):
            data = gzip.decompress(data)
        return _DataUnpickler(io.BytesIO(data), encoding="latin1").load()
    except MemoryError:
        raise ValueError(f"{path}: not read: it asks for more memory than there is") from None
    # A damaged pickle stops with whatever its last instruction stumbles over.
    except (
        pickle.UnpicklingError,
        EOFError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
    ) as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path}: not a pickle of plain data: {reason}") from None
