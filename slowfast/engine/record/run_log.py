"""The numbers of a run over time: `log.jsonl` always, TensorBoard when it is asked for. Written by the main process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from slowfast.structures.outputs.result import Ranked
from slowfast.utils.logging import JsonLog, get_logger
from slowfast.utils.processes.distributed import is_main
from slowfast.visualization.tensorboard import TensorBoardLog


class Reached(NamedTuple):
    """Where a run goes on: steps done since its beginning, and the last epoch that was evaluated."""

    step: int
    evaluated: int


class RunLog:
    """Writes records to `output/log.jsonl` and, with `tensorboard`, their numbers to `output/tensorboard`.

    A disk that is full stops neither: it is said once, and the next record is tried again.
    reached: the run goes on from here; records of what is done again now are taken out
    """

    def __init__(self, output: Path, *, tensorboard: bool = False, reached: Reached | None = None) -> None:
        self.folder = output
        self._json, self._tensorboard, self._failed = JsonLog(output / "log.jsonl"), None, False
        if reached is not None and is_main():
            taken = self._guarded(self._json.keep, lambda record: _is_before(record, reached))
            if taken:
                get_logger().info("%d records of log.jsonl are taken out: what they tell of is done again", taken)
        if tensorboard and is_main():
            purge = reached.step + 1 if reached is not None and reached.step else None
            self._tensorboard = self._guarded(TensorBoardLog, output / "tensorboard", purge_step=purge)

    def write(self, kind: str, *, at: int = 0, **values: Any) -> None:
        """One record; `at` is its step or epoch for TensorBoard."""
        self._guarded(self._json.write, kind, **values)
        if self._tensorboard is not None:
            self._guarded(self._tensorboard.write, kind, at, values)

    @property
    def draws(self) -> bool:
        """Whether curves and pictures are wanted: on the main process, where TensorBoard is written."""
        return self._tensorboard is not None

    def show(self, at: int, curves: Mapping[str, Ranked], pictures: Mapping[str, np.ndarray]) -> None:
        """What an evaluation after epoch `at` found, for TensorBoard alone."""
        if self._tensorboard is None:
            return
        for name, ranked in curves.items():
            self._guarded(self._tensorboard.write_pr_curve, f"precision_recall/{name}", at, ranked)
        self._guarded(self._tensorboard.write_pictures, "found", at, pictures)

    def _guarded(self, write: Any, *args: Any, **values: Any) -> Any:
        try:
            return write(*args, **values)
        except OSError as error:
            if not self._failed:
                get_logger().warning("the log of numbers cannot be written (%s); the run goes on without", error)
            self._failed = True
            return None


def _is_before(record: dict[str, Any], reached: Reached) -> bool:
    if record.get("kind") == "train":
        return record.get("step", 0) <= reached.step
    if record.get("kind") == "eval":
        return record.get("epoch", 0) <= reached.evaluated
    return True
