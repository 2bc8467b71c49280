"""The numbers of a run over time: `log.jsonl` always, TensorBoard when it is asked for. Written by the main process."""

from pathlib import Path
from typing import Any

from slowfast.utils.distributed import is_main
from slowfast.utils.logging import JsonLog
from slowfast.visualization.tensorboard import TensorBoardLog


class RunLog:
    """Writes records to `output/log.jsonl` and, with `tensorboard`, their numbers to `output/tensorboard`."""

    def __init__(self, output: Path, *, tensorboard: bool = False) -> None:
        self._json = JsonLog(output / "log.jsonl")
        self._tensorboard = TensorBoardLog(output / "tensorboard") if tensorboard and is_main() else None

    def write(self, kind: str, *, at: int = 0, **values: Any) -> None:
        """One record; `at` is its step or epoch for TensorBoard."""
        self._json.write(kind, **values)
        if self._tensorboard is not None:
            self._tensorboard.write(kind, at, values)
