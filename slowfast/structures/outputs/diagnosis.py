"""What is known about where a detector fails, as plain numbers: evaluation computes it, the report shows it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassCurve:
    """One action class. recall, precision: (k,) float64, the interpolated curve from low to high recall; ap: nan where
    the class has no ground truth (then the curve is empty)."""

    name: str
    ap: float
    instances: int
    detections: int
    recall: np.ndarray
    precision: np.ndarray


@dataclass(frozen=True)
class ErrorCost:
    """One kind of error. count: how often; share: of the false detections (of the ground truth for what was missed);
    gain: mAP that would be added if this kind alone were mended."""

    kind: str
    count: int
    share: float
    gain: float


@dataclass(frozen=True)
class Part:
    """A part of the ground truth: its mAP (nan without ground truth) over `instances` boxes with an action."""

    name: str
    instances: int
    mean_ap: float


@dataclass(frozen=True)
class Confusion:
    """Which action a found person is taken for.

    names:  C classes
    counts: (C, C) int64; row: an action the person does; column: on the diagonal when no action that the person does
            not do scores as high, else the most confident of those
    people: annotated people whose box was found; missed: those whose box was not, and who are left out
    """

    names: tuple[str, ...]
    counts: np.ndarray
    people: int
    missed: int


@dataclass(frozen=True)
class ActorCurve:
    """Finding people, whatever they do. ap: AP of the boxes ranked by `score`; recall, precision: (k,)."""

    score: str
    ap: float
    people: int
    boxes: int
    recall: np.ndarray
    precision: np.ndarray


@dataclass(frozen=True)
class ThresholdSweep:
    """What a threshold on the actor score would do: `n` thresholds, with suppression at `nms_iou` or without (0).

    thresholds, precision, recall, mean_ap: (n,); precision is nan where no box is left
    """

    nms_iou: float
    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    mean_ap: np.ndarray


@dataclass(frozen=True)
class Diagnosis:
    """Everything that one test tells about a detector. mean_ap: recomputed from the detections."""

    mean_ap: float
    classes: tuple[ClassCurve, ...]
    errors: tuple[ErrorCost, ...]
    by_size: tuple[Part, ...]
    by_crowd: tuple[Part, ...]
    confusion: Confusion
    actor: ActorCurve
    sweeps: tuple[ThresholdSweep, ...]
