"""Checkpoints of a run: written whole or not at all, the last few kept, and resumed from the newest that can be read."""

import pickle
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from slowfast.utils.files import open_whole
from slowfast.utils.logging import get_logger
from slowfast.weights.load import LoadReport, load_weights

__all__ = ["Checkpointer", "LoadReport", "load_weights"]
_NAME = re.compile(r"checkpoint_epoch_(\d{5,})\.pyth")


@dataclass(frozen=True)
class Checkpointer:
    """`folder/checkpoint_epoch_00012.pyth` after epoch 12; the newest `keep` files stay.

    A checkpoint is a dict of tensors, numbers, strings, lists and dicts only, so that torch.load(weights_only=True) reads it.
    """

    folder: Path
    keep: int = 3

    def path(self, epoch: int) -> Path:
        """The file of the checkpoint after `epoch` finished epochs."""
        return self.folder / f"checkpoint_epoch_{epoch:05d}.pyth"

    def save(self, epoch: int, state: dict[str, Any]) -> Path:
        """Write `state` and drop the oldest files. Raises OSError (a full disk, say), leaving older checkpoints whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(epoch)
        write_atomically(state | {"epoch": epoch}, path)
        others = [
            p for p in self.saved() if p != path
        ]  # in the folder of a longer run, `path` itself may be the oldest
        for old in others[: max(len(others) - self.keep + 1, 0)]:
            old.unlink()
        return path

    def saved(self) -> list[Path]:
        """The checkpoints there are, oldest first, by epoch number."""
        if not self.folder.is_dir():
            return []
        numbered = [(int(match[1]), p) for p in self.folder.iterdir() if (match := _NAME.fullmatch(p.name))]
        return [path for _, path in sorted(numbered)]

    def remove_leftovers(self) -> None:
        """Delete the temporary files of writes that were killed."""
        for leftover in self.folder.glob(".*.pyth.*.tmp"):
            leftover.unlink()

    def newest(self, *, mapped: bool = False, quiet: bool = False) -> tuple[Path, dict[str, Any]] | None:
        """The newest checkpoint that can be read, and its content; None when there is none at all.

        One that cannot be read (a cut-off file) is named in the log, unless `quiet`, and the one before it is tried.
        mapped: leave the tensors on the disk until they are looked at. Raises ValueError when there are checkpoints and
        none can be read.
        """
        paths = self.saved()
        for path in reversed(paths):
            try:
                return path, torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
            except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
                if quiet:
                    continue
                # The first sentence: what torch adds is advice to load the file unsafely.
                reason = str(error).split(". ")[0].splitlines()[0] if str(error) else type(error).__name__
                get_logger().warning("cannot read %s (%s); trying the checkpoint before it", path, reason)
        if paths:
            raise ValueError(
                f"none of the {len(paths)} checkpoints in {self.folder} can be read; "
                "move them away to start anew, or set TRAIN.AUTO_RESUME False"
            )
        return None


def write_atomically(state: dict[str, Any], path: Path) -> None:
    """torch.save to `path`, whole or not at all. Raises OSError."""
    note = "older checkpoints are untouched (OUTPUT_DIR, free disk space)"
    # torch reports a full disk as a RuntimeError
    with open_whole(path, "wb", failures=(OSError, RuntimeError), note=note) as file:
        torch.save(state, file)
