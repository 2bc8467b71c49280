"""Weights that a run starts from or tests are tried on the model before anything is written."""

import warnings
from pathlib import Path

import torch

from slowfast.models.build import build_model
from slowfast.tasks.task import Task
from slowfast.weights.checkpoint import Checkpointer
from slowfast.weights.load import load_weights


def check_starting_weights(task: Task, output: Path) -> None:
    """Load TRAIN.CHECKPOINT_FILE_PATH, or TEST.CHECKPOINT_FILE_PATH in a run that only tests, into a model without memory.

    A run that goes on from its own checkpoints in `output` reads none. Raises FileNotFoundError or ValueError as
    `load_weights`, and ValueError where a test would be of parameters that the file does not hold.
    """
    cfg = task.cfg
    key = f"{'TRAIN' if cfg.TRAIN.ENABLE else 'TEST'}.CHECKPOINT_FILE_PATH"
    if cfg.TRAIN.ENABLE:
        path = "" if Checkpointer(output / "checkpoints").saved() else cfg.TRAIN.CHECKPOINT_FILE_PATH
    else:
        path = cfg.TEST.CHECKPOINT_FILE_PATH
    if not path:
        return
    with torch.device("meta"):
        model = build_model(cfg)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*no-op", category=UserWarning)  # nothing is to be kept
        reinit = cfg.TRAIN.ENABLE and cfg.MODEL.HEAD_REINIT
        try:
            report = load_weights(
                model,
                path,
                head_reinit=reinit,
                class_names=task.known_names,
                prefer=cfg.MODEL.CHECKPOINT_ENTRY,
                grid=cfg.MODEL.CHECKPOINT_GRID,
            )
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(f"{key}: {error}") from error
    if report.started and not cfg.TRAIN.ENABLE:
        raise ValueError(
            f"{key}: {path} holds no weights for {len(report.started)} parameters of MODEL.MODEL_NAME "
            f"{cfg.MODEL.MODEL_NAME}, which would be tested untrained. Is it of another task? To train from it: "
            f"TRAIN.ENABLE True TRAIN.CHECKPOINT_FILE_PATH {path}\n{report}"
        )
