"""A checkpoint in parts: a folder to which each process of a run writes what it holds, with torch.distributed.checkpoint.

    checkpoint_epoch_00012.distcp/
      __0_0.distcp, __1_0.distcp ...   tensors, one file a process
      .metadata                        which part of which tensor lies where (torch's format)
      rest.pyth                        everything else, the names of the tensors, and the SHA-256 of the files above

rest.pyth has a checksum of its own (`seal.py`) and is written last, and the folder gets its name when all is there: so a
folder is whole, and tells where it is not. Any number of processes may write one, and any number reads it.
"""

import inspect
import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from slowfast.utils.files import FileWriteError, open_whole, whole_folder
from slowfast.utils.processes import distributed
from slowfast.weights.seal import DamagedFileError, check_whole, save_sealed, sha256_of

SUFFIX = ".distcp"
REST, METADATA = "rest.pyth", ".metadata"
_IN_PARTS = ("model_state", "ema_state", "optimizer_state")  # all other tensors are few and small
_NAMES, _DIGESTS = "names of tensors", "sha256 of files"
_NOTE = "older checkpoints are untouched (OUTPUT_DIR, free disk space)"
_CLASSES_OF_METADATA = {
    *(("torch.distributed.checkpoint.metadata", name) for name in (
        *("Metadata", "MetadataIndex", "TensorStorageMetadata", "ChunkStorageMetadata", "TensorProperties"),
        *("StorageMeta", "_MEM_FORMAT_ENCODING"),
    )),
    ("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
    ("torch", "Size"),
    ("torch.serialization", "_get_layout"),
    *(("torch", str(kind).removeprefix("torch.")) for kind in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool),
        *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    )),
}  # fmt: skip
_PATHS = {
    ("pathlib", "PosixPath"),
    ("pathlib._local", "PosixPath"),
    ("pathlib", "PurePosixPath"),
}  # where it was written


def is_in_parts(path: Path) -> bool:
    """Whether there is a folder of this kind, whole or not."""
    return path.is_dir() and (path.suffix == SUFFIX or (path / REST).is_file())


def write_parts(state: Mapping[str, Any], path: Path, *, group: Any = None) -> None:
    """Write a state as RunState gives it: of a cut tensor each process writes its part, of others one of them all.

    On all processes together, alone where there is no process group. group: of all processes, that they talk through.
    Raises OSError on all of them, and then the folder is not there.
    """
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.api import CheckpointException

    names, rest = _taken_apart(state)
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        filling = stack.enter_context(whole_folder(path)) if distributed.is_main() else None
        filling = path.parent / distributed.gather_objects(filling and filling.name, group)[0]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that one process is alone
                tensors = {".".join(map(str, name)): _at(state, name) for name in names}
                dcp.save(tensors, storage_writer=dcp.FileSystemWriter(filling), process_group=group)
            own = sorted(filling.glob(f"__{distributed.rank()}_*{SUFFIX}"))
            told, wrong = {file.name: sha256_of(file) for file in own}, ""
        except CheckpointException as error:
            told, wrong = (
                {},
                "; ".join(f"process {rank}: {_first_line(one[0])}" for rank, one in error.failures.items()),
            )
        except (OSError, RuntimeError) as error:
            told, wrong = {}, f"process {distributed.rank()}: {_first_line(error)}"
        shares = distributed.gather_objects((told, wrong), group)
        if any(wrong for _, wrong in shares):
            raise FileWriteError(f"could not write {path}: {next(wrong for _, wrong in shares if wrong)}; {_NOTE}")
        if distributed.is_main():
            digests = {name: digest for share, _ in shares for name, digest in share.items()}
            digests[METADATA] = sha256_of(filling / METADATA)
            with open_whole(filling / REST, "wb", failures=(OSError, RuntimeError), note=_NOTE) as file:
                save_sealed(rest | {_NAMES: names, _DIGESTS: digests}, file)


def read_parts(path: Path, *, with_tensors: bool = True) -> dict[str, Any]:
    """The state that a folder holds, with whole tensors, in this process alone. Raises DamagedFileError or whatever torch
    throws at what cannot be read.

    with_tensors: False only compares all bytes with their checksums and leaves the tensors out
    """
    if not (path / REST).is_file():
        raise DamagedFileError(f"it has no {REST}, which is written last")
    check_whole(path / REST)
    state = torch.load(path / REST, map_location="cpu", weights_only=True)
    names, digests = state.pop(_NAMES), state.pop(_DIGESTS)
    for name, digest in digests.items():
        if not (path / name).is_file():
            raise DamagedFileError(f"{name} is not there")
        if sha256_of(path / name) != digest:
            raise DamagedFileError(f"the bytes of {name} are not those that were written (SHA-256 differs)")
    if with_tensors:
        found = _read_tensors(path, set(digests))
        for name in names:
            _at(state, name[:-1])[name[-1]] = found[".".join(map(str, name))]
    return state


def _read_tensors(path: Path, files: set[str]) -> dict[str, Tensor]:
    import torch.distributed.checkpoint as dcp

    class Reader(dcp.FileSystemReader):
        """torch's, which would run any code that .metadata names."""

        def read_metadata(self, *_: Any, **__: Any) -> Any:
            return metadata

    with open(path / METADATA, "rb") as file:
        metadata = _NoCode(file).load()
    for place in metadata.storage_data.values():
        if place.relative_path not in files:
            raise DamagedFileError(f"{METADATA} names the file {place.relative_path!r}, which has no checksum")
    tensors = {
        name: torch.empty(of_one.size, dtype=of_one.properties.dtype)
        for name, of_one in metadata.state_dict_metadata.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one process is alone
        # Without others, who read when they like; before torch 2.9 only the old name of the function could.
        load: Callable[..., None] = (
            dcp.load if "no_dist" in inspect.signature(dcp.load).parameters else dcp.load_state_dict
        )
        load(tensors, storage_reader=Reader(path), no_dist=True)
    return tensors


class _NoCode(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PATHS:
            return PurePosixPath
        if (module, name) not in _CLASSES_OF_METADATA:
            raise DamagedFileError(f"{METADATA} asks for {module}.{name}, which is no description of tensors")
        return super().find_class(module, name)


def _taken_apart(state: Mapping[str, Any]) -> tuple[list[list], dict[str, Any]]:
    """Where the tensors are that lie in parts, and the state without them."""
    names = [[top, *below] for top in _IN_PARTS if top in state for below in _places(state[top])]
    taken = {tuple(name) for name in names}

    def without(value: Any, at: tuple = ()) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {key: without(inner, (*at, key)) for key, inner in value.items() if (*at, key) not in taken}

    return names, without(state)


def _places(value: Mapping) -> Iterator[list]:
    """The keys that lead to each tensor in nested dicts."""
    for key, inner in value.items():
        if isinstance(inner, Tensor):
            yield [key]
        elif isinstance(inner, Mapping):
            yield from ([key, *below] for below in _places(inner))


def _at(state: Any, name: list) -> Any:
    for key in name:
        state = state[key]
    return state


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
