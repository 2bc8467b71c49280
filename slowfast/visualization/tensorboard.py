"""Curves for TensorBoard."""

from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slowfast.structures.outputs.result import Ranked
from slowfast.utils.missing import MissingPackageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_THRESHOLDS = 127  # as many as TensorBoard's plugin asks for


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

    def write_pr_curve(self, name: str, at: int, ranked: Ranked) -> None:
        """Precision against recall at 127 thresholds from 0 to 1, what was never found counted as missed."""
        order = np.argsort(ranked.scores, kind="stable")
        scores, hits = ranked.scores[order], ranked.hits[order].astype(np.int64)
        below = np.searchsorted(scores, np.linspace(0, 1, _THRESHOLDS), side="left")
        found = len(scores) - below
        right = hits.sum() - np.concatenate([[0], np.cumsum(hits)])[below]
        wrong, missed = found - right, ranked.to_find - right
        precision = np.where(found > 0, right / np.maximum(found, 1), 1.0)
        self._writer.add_pr_curve_raw(
            name, right, wrong, np.zeros_like(right), missed, precision, right / max(ranked.to_find, 1), at, _THRESHOLDS
        )
        self._writer.flush()

    def write_pictures(self, kind: str, at: int, pictures: Mapping[str, np.ndarray]) -> None:
        """pictures: (h, w, 3) uint8 RGB, named KIND/NAME."""
        for name, picture in pictures.items():
            self._writer.add_image(f"{kind}/{name}", picture, at, dataformats="HWC")
        self._writer.flush()

    def write_figures(self, kind: str, at: int, figures: dict[str, "Figure"]) -> None:
        """Plots as images named KIND/NAME."""
        for name, figure in figures.items():
            self._writer.add_figure(f"{kind}/{name}", figure, at, close=False)
        self._writer.flush()
