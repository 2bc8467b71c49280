"""What the processes of a run must have in common before the first step, and what is said where they do not."""

from pathlib import Path
from typing import Any

from slowfast.utils.processes import distributed
from slowfast.weights.checkpoint import Checkpointer, read_checkpoint
from slowfast.weights.seal import DamagedFileError


def newest_for_all(checkpoints: Checkpointer) -> tuple[Path, dict[str, Any]] | None:
    """The checkpoint that the main process would go on from, read by every process; None where there is none.

    Raises ValueError on all of them, naming those that cannot read it or do not see its folder.
    """
    newest, wrong = None, ""
    if distributed.is_main():
        try:
            newest = checkpoints.newest()
        except ValueError as error:
            wrong = str(error)
    name, wrong = distributed.gather_objects((newest[0].name if newest else "", wrong))[0]
    if wrong:
        raise ValueError(wrong)
    if not name:
        return None
    path, failure = checkpoints.folder / name, ""
    if newest is None:
        try:
            newest = path, read_checkpoint(path)
        except DamagedFileError as error:
            failure = str(error)
    failures = distributed.gather_objects(failure)
    if any(failures):
        told = "; ".join(f"process {rank}: {reason}" for rank, reason in enumerate(failures) if reason)
        raise ValueError(
            f"not all processes of this run can go on from {path}: {told}. OUTPUT_DIR must be one folder that all machines share"
        )
    return newest


def refuse_disagreement(parts: dict[str, Any]) -> None:
    """Raises ValueError on every process where they do not all pass the same, naming what differs, and who has what."""
    gathered = distributed.gather_objects(parts)
    for name in parts:
        values = [str(share.get(name)) for share in gathered]
        if len(set(values)) > 1:
            told = "; ".join(f"process {rank}: {value}" for rank, value in enumerate(values))
            raise ValueError(
                f"the processes of this run do not have the same {name}: {told}. Start all of them with the same "
                "configuration, code and data"
            )
