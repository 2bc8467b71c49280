"""The public address of loading weights and of a run's checkpoints; the code is in `slowfast/weights`."""

from slowfast.weights.checkpoint import Checkpointer
from slowfast.weights.load import load_weights
from slowfast.weights.report import LoadReport

__all__ = ["Checkpointer", "LoadReport", "load_weights"]
