"""Tube: one person doing one action, as a box on each of some frames of a video. Numpy only."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tube:
    """Boxes of one person on n >= 1 frames.

    label:  action id, as in BoxTable
    frames: (n,) int32, frame numbers from 1, strictly rising; a missing number is a frame without the person
    boxes:  (n, 4) float, xyxy in [0, 1] of the original frame
    score:  confidence of the tube as a whole; None in ground truth
    scores: (n,) float, confidence on each frame; None in ground truth
    """

    video: str
    label: int
    frames: np.ndarray
    boxes: np.ndarray
    score: float | None = None
    scores: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(self.frames)
        if count == 0 or (np.diff(self.frames) <= 0).any():
            raise ValueError(
                f"a tube needs frames in strictly rising order, got {self.frames.tolist()} in {self.video!r}"
            )
        if self.boxes.shape != (count, 4):
            raise ValueError(f"a tube of {count} frames needs boxes of shape ({count}, 4), got {self.boxes.shape}")
        if self.scores is not None and self.scores.shape != (count,):
            raise ValueError(f"a tube of {count} frames needs scores of shape ({count},), got {self.scores.shape}")

    @property
    def confidence(self) -> float:
        """`score` of a tube that has one; ValueError for an annotated one."""
        if self.score is None:
            raise ValueError(f"a tube in {self.video!r} has no score; is this ground truth?")
        return self.score

    @property
    def frame_confidences(self) -> np.ndarray:
        """(n,) `scores` of a tube that has them; ValueError for an annotated one."""
        if self.scores is None:
            raise ValueError(f"a tube in {self.video!r} has no scores of its frames; is this ground truth?")
        return self.scores

    def __len__(self) -> int:
        return len(self.frames)
