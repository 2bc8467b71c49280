"""Curves for TensorBoard."""

from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

from slowfast.utils.missing import MissingPackageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class TensorBoardLog:
    """Writes the numbers of log records as scalars named KIND/NAME under `folder`.

    purge_step: what was written from this step on is no longer shown
    Raises ImportError naming the package when tensorboard is not installed.
    """

    def __init__(self, folder: str | Path, *, purge_step: int | None = None) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingPackageError("TENSORBOARD.ENABLE needs tensorboard: pip install tensorboard") from error
        self._writer = SummaryWriter(str(folder), purge_step=purge_step)

    def write(self, kind: str, at: int, values: dict[str, object]) -> None:
        """at: the step or epoch on the horizontal axis. What is not a number is left to the JSON-lines log."""
        for name, value in values.items():
            if isinstance(value, Real):
                self._writer.add_scalar(f"{kind}/{name}", float(value), at)
        self._writer.flush()

    def write_figures(self, kind: str, at: int, figures: dict[str, "Figure"]) -> None:
        """Plots as images named KIND/NAME."""
        for name, figure in figures.items():
            self._writer.add_figure(f"{kind}/{name}", figure, at, close=False)
        self._writer.flush()
