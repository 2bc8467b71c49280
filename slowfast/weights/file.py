"""Reading a checkpoint file, of this project or another, without ever running code that it may hold."""

import argparse
import contextlib
import io
import json
import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from slowfast.utils.reading import reading
from slowfast.utils.restricted_pickle import NUMPY_NUMBERS
from slowfast.weights.entries import AVERAGE, KNOWN_NAMES, RAW, choose_entry, find_entries, unreadable_averages
from slowfast.weights.hub import config_beside, list_of, refuse_other_than_told, text_of
from slowfast.weights.packages import is_packaged, packaged_file
from slowfast.weights.parts import REST, is_in_parts, read_parts
from slowfast.weights.seal import DamagedFileError, check_whole, hashing_once

_LIGHTNING = "pytorch-lightning_version"
# What files carry their options in: bags of names and values, paths, numbers. Their methods are ours, not the file's, and
# no module of another project is imported for them: Lightning's AttributeDict becomes a dict.
_INERT_CLASSES: list[Callable | tuple[Callable, str]] = [
    argparse.Namespace,
    *((dict, f"{where}.AttributeDict") for where in (
        "lightning_fabric.utilities.data",
        "lightning.fabric.utilities.data",
        "lightning.pytorch.utilities.parsing",
        "pytorch_lightning.utilities.parsing",
    )),
    *((PurePosixPath, f"pathlib{part}.{kind}Path") for part in ("", "._local") for kind in ("Posix", "PurePosix")),
    *NUMPY_NUMBERS,
]  # fmt: skip
_AGAIN = "download it again"
_READ: ContextVar["dict[tuple[str, str], WeightFile] | None"] = ContextVar("files read so far", default=None)
# Others need scales that stand elsewhere (float8, quantised numbers) or are no weights (complex ones).
_PLAIN_TYPES = {torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool}
_PLAIN_TYPES |= {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}


@dataclass(frozen=True)
class WeightFile:
    """The parameters of a file.

    state:       name -> tensor, on the CPU, under the file's own names; numbers may stay in the file until they are used
    container:   the entry of the file they were in: "ema_state", "model_state", ..., or "" when they are the whole file
    averaged:    they are a running average of the weights
    others:      the sets of parameters in the file that were not taken: "model_state: raw weights"
    lightning:   a Lightning module wrote them, with a prefix before the names of its network
    class_names: in index order, where the file tells
    class_ids:   ids of the label map, where the file tells
    config:      the YAML text of the run that wrote the file, where it tells
    """

    state: dict[str, Tensor]
    container: str
    averaged: bool = False
    others: tuple[str, ...] = ()
    lightning: bool = False
    class_names: tuple[str, ...] = ()
    class_ids: tuple[int, ...] = ()
    config: str = ""


@contextlib.contextmanager
def reading_once() -> Iterator[None]:
    """While the block runs, a file that is asked for again is not read again: what it held the first time is given. Nor are
    bytes compared with their checksum again (`seal.hashing_once`).

    A run asks several times: for the configuration and the classes in it, to try it, to load it. Numbers of files in
    today's format stay on the disk until they are used, so keeping them costs no memory.
    """
    before = _READ.set({})
    try:
        with hashing_once():
            yield
    finally:
        _READ.reset(before)


def read_weight_file(path: str | Path, *, prefer: str = AVERAGE) -> WeightFile:
    """Read `.pyth`, `.pth`, `.pt`, `.ckpt` or `.safetensors`, a folder that holds a model.safetensors, a checkpoint in parts
    (a folder `.distcp`, parts.py), or the file of an installed package (`pip:NAME`, packages.py).

    prefer: of several sets of weights in one file, "average" takes the averaged ones, "raw" the others, and any other text
            the entry of that name (MODEL.CHECKPOINT_ENTRY)

    Raises FileNotFoundError, or ValueError that says what the file is instead: a web page, a git-lfs pointer, cut off,
    a pickle that needs code, or without parameters.
    """
    read = _READ.get()
    if read is None:
        return _found_and_read(path, prefer)
    key = (str(path), prefer)
    if key not in read:
        read[key] = _found_and_read(path, prefer)
    return read[key]


def weight_path(path: str | Path) -> Path:
    """The file that `read_weight_file` reads: in a package (`pip:NAME`), in a folder as model hubs have them, the one of a
    checkpoint in parts that has the checksums of the others, or `path`.
    """
    path = packaged_file(str(path)) if is_packaged(path) else Path(path)
    if is_in_parts(path):
        return path / REST
    return path / "model.safetensors" if (path / "model.safetensors").is_file() else path


def _found_and_read(path: str | Path, prefer: str) -> WeightFile:
    path = weight_path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"weights {path} do not exist" if not path.exists() else f"weights {path} are not a file"
        )
    with reading(path, "cannot be read as weights"):
        file = _read(path, prefer)
    for name, tensor in file.state.items():
        if why := _no_plain_numbers(tensor):
            raise ValueError(
                f"{path}: {name} is {why}, and weights are read as plain numbers; in the program that wrote the file, save "
                "them as float32"
            )
    return file


def _read(path: Path, prefer: str) -> WeightFile:
    _refuse_what_is_no_checkpoint(path)
    try:
        check_whole(path)
    except DamagedFileError as error:
        raise ValueError(f"{path} is cut off, damaged or no PyTorch file ({error}); {_AGAIN}") from None
    if path.suffix == ".safetensors":
        refuse_other_than_told(path)
        return _read_safetensors(path)
    content = read_parts(path.parent) if is_in_parts(path.parent) else _unpickle_safely(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a dict of parameters")
    return _find_parameters(path, content, prefer)


def _no_plain_numbers(tensor: Tensor) -> str:
    """What kind of tensor it is where its numbers are not simply there; "" where they are."""
    if tensor.is_nested:
        return "a nested tensor"
    if tensor.layout is not torch.strided:
        return f"a sparse tensor ({tensor.layout})"
    if tensor.is_meta:
        return "a tensor without numbers (the device meta)"
    if tensor.is_quantized or tensor.dtype not in _PLAIN_TYPES:
        return f"of the type {tensor.dtype}"
    return ""


def _refuse_what_is_no_checkpoint(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(512).lstrip().lower()
    if not head:
        raise ValueError(f"{path} is empty; download it again")
    if head.startswith(b"version https://git-lfs"):
        raise ValueError(f"{path} is a git-lfs pointer, not the weights; run `git lfs pull` where it came from")
    if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<!--")):
        raise ValueError(
            f"{path} is a web page, not weights: the download link led to a page (a log-in, a warning, an error). "
            "Open it in a browser and save what it offers"
        )


def _unpickle_safely(path: Path) -> object:
    try:
        with torch.serialization.safe_globals(_INERT_CLASSES), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols; what cannot be read is an error below
            # Mapped, so that looking at names, classes and configuration does not read the numbers; the old format cannot.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError:
        wanted = _imports_of_pickle(path)
        if not wanted:
            # torch's own text would advise to switch weights_only off.
            raise ValueError(
                f"{path} is cut off, damaged or no PyTorch file (its pickle breaks off or is none); {_AGAIN}"
            ) from None
        raise ValueError(
            f"{path} is a pickle that needs code to be read, and code in a file is never run here (it asks for "
            f"{', '.join(wanted[:5])}). In the project that wrote it, save the plain parameters: "
            "torch.save({'model_state': model.state_dict()}, path)"
        ) from None
    except Exception as error:  # torch throws what it likes: AssertionError, AttributeError, struct.error, ...
        raise ValueError(
            f"{path} is cut off, damaged or no PyTorch file ({_first_sentence(error)}); {_AGAIN}"
        ) from None


def _imports_of_pickle(path: Path) -> list[str]:
    """What a pickle wants to import beyond torch's own tensors, by reading its instructions without following them."""
    wanted: list[str] = []
    # Where reading ends early (cut off, or the raw numbers after the pickles), what was found until there is what
    # counts.
    with contextlib.suppress(ValueError, StopIteration, zipfile.BadZipFile, OSError):
        data, texts = _pickle_in(path), []
        stream = io.BytesIO(data)
        while stream.tell() < len(data):  # the old format is several pickles in a row, and then raw numbers
            for opcode, argument, _ in pickletools.genops(stream):
                if isinstance(argument, str):
                    texts.append(argument)
                if opcode.name == "GLOBAL" and isinstance(argument, str):
                    wanted.append(argument.replace(" ", "."))
                elif opcode.name == "STACK_GLOBAL":
                    wanted.append(".".join(texts[-2:]))
    harmless = ("torch.", "collections.OrderedDict", "argparse.Namespace", *_inert_names())
    return [name for name in dict.fromkeys(wanted) if not name.startswith(harmless)]


def _inert_names() -> list[str]:
    return [entry[1] for entry in _INERT_CLASSES if isinstance(entry, tuple)] + ["numpy.dtype"]


def _pickle_in(path: Path) -> bytes:
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))


def _first_sentence(error: Exception) -> str:
    return str(error).splitlines()[0].split(". ")[0].rstrip(".") if str(error) else type(error).__name__


def _read_safetensors(path: Path) -> WeightFile:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is cut off or no safetensors file ({_first_sentence(error)}); {_AGAIN}") from None
    beside = config_beside(path) if "cfg" not in metadata else {}
    return WeightFile(
        state,
        container="",
        class_names=list_of(str, beside.get("class_names") or json.loads(metadata.get("class_names", "[]"))),
        class_ids=list_of(int, beside.get("class_ids") or json.loads(metadata.get("class_ids", "[]"))),
        config=text_of(beside.get("cfg") or metadata.get("cfg", "")),
    )


def _find_parameters(path: Path, content: dict, prefer: str) -> WeightFile:
    entries = find_entries(content)
    taken = choose_entry(entries, prefer)
    if taken is None:
        there = "; ".join(map(str, entries))
        if there:
            wrong = f"no weights under the name {prefer!r}"
            if prefer in (AVERAGE, RAW):
                wrong = "its weights under names that are not known, so which are meant must be said"
            raise ValueError(f"{path} has {wrong}; name one of its entries in MODEL.CHECKPOINT_ENTRY: {there}")
        found = ", ".join(map(str, list(content)[:10])) or "nothing"
        raise ValueError(
            f"{path} holds no parameters: expected them under one of {KNOWN_NAMES} or at the top, found {found}"
        )
    others = tuple([str(entry) for entry in entries if entry is not taken] + unreadable_averages(content))
    config = content.get("cfg", "")
    if not taken.name:
        return WeightFile(taken.state, "", averaged=taken.averaged, others=others)
    return WeightFile(
        taken.state,
        taken.name,
        averaged=taken.averaged,
        others=others,
        lightning=_LIGHTNING in content,
        class_names=list_of(str, content.get("class_names")),
        class_ids=list_of(int, content.get("class_ids")),
        config=text_of(config),
    )
