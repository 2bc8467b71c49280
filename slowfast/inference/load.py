"""A checkpoint as what it is: a detector or a classifier."""

from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from slowfast.inference.build import DETECTS, load_model
from slowfast.inference.classifier import ActionClassifier
from slowfast.inference.detector import BATCH, ActionDetector


def load(
    path: str | Path,
    *,
    device: str | torch.device = "auto",
    cfg: CfgNode | str | Path | None = None,
    labels: str | Path | None = None,
    batch: int = BATCH,
) -> ActionDetector | ActionClassifier:
    """The model of a checkpoint, ready to predict; arguments and errors as `load_model`."""
    loaded = load_model(path, device=device, cfg=cfg, labels=labels)
    kind = ActionDetector if loaded.task == DETECTS else ActionClassifier
    return kind(loaded, batch=batch)
