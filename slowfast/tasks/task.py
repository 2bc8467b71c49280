"""Task: everything that differs between finding people, classifying given ones, and classifying clips."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.datasets.augment.colours import ColourFactors
from slowfast.losses.criterion import Criterion
from slowfast.structures.clip import ClipBatch
from slowfast.structures.outputs.result import Ranked


class TrainLoader(Protocol):
    """Micro-batches of one epoch after another."""

    @property
    def steps(self) -> int:
        """Optimiser steps in an epoch."""

    @property
    def clips_per_step(self) -> int:
        """Clips of an optimiser step over all processes."""

    def digest(self) -> str:
        """A short text that differs where the annotations of the data do."""

    def set_epoch(self, epoch: int, first_step: int = 0) -> None:
        """What is given next: the steps of an epoch, from `first_step` on."""

    def __iter__(self) -> Iterator[ClipBatch]: ...


class Normalisation(NamedTuple):
    """mean, std: of R, G, B in [0, 1]; bgr: the network takes B, G, R, and the channels are exchanged afterwards."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    bgr: bool = False


def normalisation_of(cfg: CfgNode, *, bgr: bool) -> Normalisation:
    """DATA.MEAN and STD in the order of the files, as PySlowFast normalises before it exchanges channels.

    bgr: it reads these files as B, G, R (VideoSplit.bgr)
    """
    order = slice(None, None, -1 if bgr else 1)
    return Normalisation(tuple(cfg.DATA.MEAN[order]), tuple(cfg.DATA.STD[order]), bgr != cfg.DATA.REVERSE_INPUT_CHANNEL)


# (3, n, h, w) uint8 RGB and how their colours are changed -> (n, 3, h, w) as a network takes them, on the device.
Pictures = Callable[[Tensor, ColourFactors | None], Tensor]


@dataclass(frozen=True)
class Trial:
    """One whole test of a run, which may have several.

    name:      "5x3"; "" where there is one only
    loader:    this process's share of the clips
    evaluator: `engine/test.Evaluator`, new
    last:      its result is the run's, and its files have their usual names
    """

    name: str
    loader: Iterable[ClipBatch]
    evaluator: Any
    last: bool = True

    @property
    def suffix(self) -> str:
        """What is added to the names of its files."""
        return "" if self.last else f"_{self.name}"


class Task(ABC):
    """One kind of work on one data set. Built once a run, after which nothing asks what kind it is.

    cfg:          the run's config, with the number of classes that the data has
    class_names, class_ids: of the model's outputs, in index order; they travel in every checkpoint
    """

    cfg: CfgNode
    class_names: tuple[str, ...]
    class_ids: tuple[int, ...]

    @property
    def known_names(self) -> tuple[str, ...] | None:
        """The class names, to compare with those of a file of weights; None where the data only numbers its classes."""
        numbers = tuple(map(str, range(len(self.class_names))))
        return None if self.class_names == numbers else self.class_names

    @abstractmethod
    def prepare(self) -> None:
        """Say what was read, and do what should be done once before the first clip is asked for."""

    def meet_model(self, model: nn.Module, pictures: Pictures) -> None:  # noqa: B027 (most do nothing)
        """Do what needs the weights before the first clip is asked for; here nothing.

        pictures: (3, n, h, w) uint8 RGB and how its colours are changed -> (n, 3, h, w) as the network takes them, on the
                  device
        """

    @abstractmethod
    def train_loader(self) -> TrainLoader:
        """This process's share of the training clips."""

    @abstractmethod
    def test_loader(self) -> Iterable[ClipBatch]:
        """This process's share of the test clips, each exactly once over all processes."""

    def validation_loader(self) -> Iterable[ClipBatch]:
        """The same for the evaluations between epochs of training: the test clips, where a task has no other."""
        return self.test_loader()

    @property
    def normalisation(self) -> "Normalisation":
        """What the device does to pixels."""
        return Normalisation(tuple(self.cfg.DATA.MEAN), tuple(self.cfg.DATA.STD))

    @abstractmethod
    def arguments(self, batch: ClipBatch) -> tuple[Tensor, ...]:
        """What the model is called with, from a prepared batch."""

    @abstractmethod
    def criterion(self) -> Criterion: ...

    @abstractmethod
    def postprocess(self) -> Callable[[Any, Sequence[Any]], Any]:
        """From predictions and metas of a batch to what the evaluator takes, on the CPU."""

    @abstractmethod
    def evaluator(self) -> Any:
        """A new evaluator (`engine/test.Evaluator`) of the test split."""

    def validation_evaluator(self) -> Any:
        """The same of what `validation_loader` gives."""
        return self.evaluator()

    def trials(self) -> Iterator[Trial]:
        """The tests of a run, one after the other; all on the same test split and the same weights."""
        yield Trial("", self.test_loader(), self.evaluator())

    @property
    def evaluates_as_tested(self) -> bool:
        """An evaluation in training and the test of a run look at the same clips by the same rules: this task changes
        neither of them.
        """
        theirs = (Task.validation_loader, Task.validation_evaluator, Task.trials)
        return theirs == (type(self).validation_loader, type(self).validation_evaluator, type(self).trials)

    @abstractmethod
    def finish(self, result: Any, output: Path, *, suffix: str = "") -> dict[str, Any]:
        """Write the files of a test into `output`, on the main process; result: what the task's evaluator gave.

        suffix: of the names of its files, see Trial
        Returns what metrics.json holds beside it."""

    def curves(self, result: Any) -> dict[str, Ranked]:
        """What an evaluation between epochs shows as precision against recall, by name; here nothing."""
        return {}

    def pictures(self, result: Any) -> dict[str, np.ndarray]:
        """What it shows as pictures, (h, w, 3) uint8 RGB by name; here nothing."""
        return {}

    @abstractmethod
    def report(self, result: Any, metrics: dict[str, Any], output: Path) -> Path | None:
        """Write the page about a test, on the main process; its path, or None where there is none."""
