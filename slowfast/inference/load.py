"""A checkpoint as what it is: a detector or a classifier."""

from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from slowfast.inference.build import DETECTS, load_model
from slowfast.inference.classifier import ActionClassifier
from slowfast.inference.detector import ActionDetector
from slowfast.inference.export.build import load_onnx
from slowfast.inference.predictor import BATCH


def load(
    path: str | Path,
    *,
    device: str | torch.device = "auto",
    cfg: CfgNode | str | Path | None = None,
    labels: str | Path | None = None,
    batch: int = BATCH,
) -> ActionDetector | ActionClassifier:
    """The model of a checkpoint, ready to predict; arguments and errors as `load_model`.

    path: also an ONNX file, or a folder with model.safetensors and config.json, of `bmvit export`
    """
    if Path(path).suffix == ".onnx":
        for option, given in (("--cfg", cfg), ("--labels", labels)):
            if given is not None:
                raise ValueError(f"{option} is not for ONNX files: {path} holds its configuration and its class names")
        if str(device) not in ("auto", "cpu"):
            raise ValueError(f"--device {device}: ONNX files run on the CPU here; predict from the checkpoint on a GPU")
        loaded = load_onnx(path)
    else:
        loaded = load_model(path, device=device, cfg=cfg, labels=labels)
    kind = ActionDetector if loaded.task == DETECTS else ActionClassifier
    return kind(loaded, batch=batch)
