"""Prediction on one's own videos: `ActionDetector`, `ActionClassifier`, and `load`, which gives the right one."""

from slowfast.inference.classifier import ActionClassifier
from slowfast.inference.detector import ActionDetector
from slowfast.inference.load import load

__all__ = ["ActionClassifier", "ActionDetector", "load"]
