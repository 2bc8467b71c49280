"""Predictor: what detectors and classifiers share, once loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from fvcore.common.config import CfgNode

from slowfast.inference.build import Loaded, load_model
from slowfast.inference.export.build import load_onnx
from slowfast.structures.outputs.moment import ActionClass

if TYPE_CHECKING:
    from typing_extensions import Self

BATCH = 4


class Predictor:
    """A trained model, ready to predict.

    loaded: the model, its configuration and its classes
    batch:  clips of a forward pass, at most

    Raises ValueError for a model of another task than `task`, or no clip in a batch.
    """

    task: ClassVar[str]
    instead: ClassVar[str]  # what a model of another task is, and who takes it

    def __init__(self, loaded: Loaded, *, batch: int = BATCH) -> None:
        if loaded.task != self.task:
            raise ValueError(f"{loaded.weights} {self.instead}, or slowfast.load, which gives the right one")
        if batch < 1:
            raise ValueError(f"--batch is the clips of a forward pass, at least 1, got {batch}")
        self.loaded, self.batch = loaded, batch
        self._predict = loaded.inputs.predictor(loaded.model)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.loaded!r})"

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        *,
        device: str | torch.device = "auto",
        cfg: CfgNode | str | Path | None = None,
        labels: str | Path | None = None,
        batch: int = BATCH,
    ) -> Self:
        """See `load_model`. Raises ValueError for a checkpoint of another task."""
        return cls(load_model(path, device=device, cfg=cfg, labels=labels), batch=batch)

    @classmethod
    def from_onnx(cls, path: str | Path, *, batch: int = BATCH) -> Self:
        """From a file of `bmvit export --format onnx`, by ONNX Runtime on the CPU; errors as `load_onnx`."""
        return cls(load_onnx(path), batch=batch)

    @property
    def classes(self) -> tuple[ActionClass, ...]:
        return self.loaded.classes
