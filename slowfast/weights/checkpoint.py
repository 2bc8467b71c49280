"""Checkpoints of a run: written whole or not at all, the last few kept, and resumed from the newest whole and finite one."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from slowfast.structures.tensors import tensors_in
from slowfast.utils.files import open_whole, remove_folder
from slowfast.utils.logging import get_logger
from slowfast.utils.processes import distributed
from slowfast.weights.load import LoadReport, load_weights
from slowfast.weights.parts import SUFFIX, is_in_parts, read_parts, write_parts
from slowfast.weights.seal import DamagedFileError, check_whole, save_sealed

__all__ = ["Checkpointer", "LoadReport", "Position", "load_weights", "read_checkpoint"]
_NAME = re.compile(r"checkpoint_epoch_(\d{5,})(?:_step_(\d{6,}))?\.(pyth|distcp)")
_KEPT_WITHIN_AN_EPOCH = 2  # should the newest be damaged


class Position(NamedTuple):
    """How far a run is: epochs done, and optimiser steps done of the epoch after them."""

    epoch: int
    step: int = 0

    def __str__(self) -> str:
        return f"epoch {self.epoch}" + (f" and {self.step} steps" if self.step else "")


@dataclass(frozen=True)
class Checkpointer:
    """`folder/checkpoint_epoch_00012.pyth` after epoch 12, `..._epoch_00012_step_000500.pyth` 500 steps later.

    The newest `keep` of the first kind stay; of the others the newest two, until the epoch is done.
    A checkpoint is a dict of tensors, numbers, strings, lists and dicts only, so that torch.load(weights_only=True) reads it,
    and ends in a checksum of itself (`seal.py`). in_parts: `..._00012.distcp` instead, a folder to which each process writes
    what it holds (`parts.py`); the two kinds may stand side by side.
    """

    folder: Path
    keep: int = 3
    in_parts: bool = False

    def path(self, epoch: int, step: int = 0) -> Path:
        """The file of the checkpoint after `epoch` finished epochs, and `step` steps of the next one."""
        name = f"checkpoint_epoch_{epoch:05d}" + (f"_step_{step:06d}" if step else "")
        return self.folder / (name + (SUFFIX if self.in_parts else ".pyth"))

    def save(self, epoch: int, state: dict[str, Any], *, step: int = 0, group: Any = None) -> Path:
        """Write `state` and drop the oldest files. Raises OSError (a full disk, say), leaving older checkpoints whole.

        On the main process, or in parts on all together, talking through `group`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path, state = self.path(epoch, step), state | {"epoch": epoch, "step": step}
        if self.in_parts:
            if path.exists() and distributed.is_main():
                remove(path)
            write_parts(state, path, group=group)
        else:
            write_atomically(state, path)
        if distributed.is_main():
            self._drop_others(epoch, step, path)
        return path

    def _drop_others(self, epoch: int, step: int, path: Path) -> None:
        # In the folder of a longer run, `path` itself may be the oldest.
        others = [(at, p) for at, p in self._numbered() if p != path]
        epochs = [p for at, p in others if not at.step]
        within = [p for at, p in others if at.step]
        if step:
            drop = within[: max(len(within) - _KEPT_WITHIN_AN_EPOCH + 1, 0)]
        else:
            drop = epochs[: max(len(epochs) - self.keep + 1, 0)] + [
                p for at, p in others if at.step and at < (epoch, 0)
            ]
        for old in drop:
            remove(old)

    def saved(self) -> list[Path]:
        """The checkpoints there are, oldest first."""
        return [path for _, path in self._numbered()]

    def _numbered(self) -> list[tuple[Position, Path]]:
        if not self.folder.is_dir():
            return []
        found = ((_NAME.fullmatch(path.name), path) for path in self.folder.iterdir())
        return sorted((Position(int(match[1]), int(match[2] or 0)), path) for match, path in found if match)

    def remove_leftovers(self) -> None:
        """Delete the temporary files and folders of writes that were killed."""
        for leftover in [*self.folder.glob(".*.pyth.*.tmp"), *self.folder.glob(f".*{SUFFIX}.*.tmp")]:
            remove(leftover)

    def newest(self, *, mapped: bool = False, quiet: bool = False) -> tuple[Path, dict[str, Any]] | None:
        """The newest checkpoint that is whole and finite, and its content; None when there is none at all.

        One that is not (cut off, a changed byte, a NaN among its weights) is named in the log, unless `quiet`, and the
        one before it is tried.
        mapped: leave the tensors on the disk until they are looked at, in parts for ever; whether they are finite is then
                not asked
        Raises ValueError when there are checkpoints and none can be used.
        """
        paths = self.saved()
        for path in reversed(paths):
            try:
                return path, read_checkpoint(path, mapped=mapped)
            except DamagedFileError as error:
                if not quiet:
                    get_logger().warning("cannot use %s: %s; trying the checkpoint before it", path, error)
        if paths:
            raise ValueError(
                f"none of the {len(paths)} checkpoints in {self.folder} can be used; move them away to start anew, or set "
                f"TRAIN.AUTO_RESUME False. tools/verify_checkpoint.py {self.folder} tells what each one has"
            )
        return None


def read_checkpoint(path: Path, *, mapped: bool = False) -> dict[str, Any]:
    """The content of a run's checkpoint; see `Checkpointer.newest`. Raises DamagedFileError that says what is wrong."""
    try:
        if is_in_parts(path):
            content = read_parts(path, with_tensors=not mapped)
        else:
            check_whole(path)
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        broken = "" if mapped or not isinstance(content, dict) else _not_finite(content)
    except DamagedFileError:
        raise
    except (
        Exception
    ) as error:  # torch throws what it likes: KeyError, AttributeError, UnpicklingError, RuntimeError, ...
        # The first sentence: what torch adds is advice to load the file unsafely.
        reason = str(error).split(". ")[0].splitlines()[0] if str(error) else ""
        raise DamagedFileError(f"it cannot be read ({reason or type(error).__name__})") from error
    if not isinstance(content, dict):
        raise DamagedFileError(f"it holds a {type(content).__name__}, no checkpoint of a run")
    if broken:
        raise DamagedFileError(f"{broken} holds numbers that are not finite")
    return content


def _not_finite(content: dict[str, Any]) -> str:
    """The first tensor with a NaN or an infinity, "" where there is none."""
    return next((name for name, tensor in tensors_in(content) if not torch.isfinite(tensor).all()), "")


def remove(path: Path) -> None:
    """Delete a file, or a checkpoint in parts, which at once has no checkpoint's name any more."""
    if path.is_dir():
        remove_folder(path)
    else:
        path.unlink()


def write_atomically(state: dict[str, Any], path: Path) -> None:
    """torch.save to `path` with a checksum, whole or not at all. Raises OSError."""
    note = "older checkpoints are untouched (OUTPUT_DIR, free disk space)"
    # torch reports a full disk as a RuntimeError
    with open_whole(path, "wb", failures=(OSError, RuntimeError), note=note) as file:
        save_sealed(state, file)
