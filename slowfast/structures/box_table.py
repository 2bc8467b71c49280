"""BoxTable: boxes on key frames as columns of numpy arrays. Annotations, detections and the evaluator speak it."""

from dataclasses import dataclass

import numpy as np

NO_LABEL = -1


@dataclass(frozen=True)
class BoxTable:
    """R rows; one row is one box with one action on one key frame (the rows of an AVA CSV).

    A row whose label is NO_LABEL and whose box is NaN only lists its key frame: nobody is annotated there. NO_LABEL with
    a box is a person without an action, which is background.

    videos:    the distinct video names
    video:     (R,) int32, index into `videos`
    timestamp: (R,) int32, the key frame: whole seconds in AVA, 1-based frame numbers in frame-annotated sets
    boxes:     (R, 4) float, xyxy in [0, 1] of the original frame
    label:     (R,) int32, action id as the label map writes it (ids start at 1 and may have gaps), or NO_LABEL
    score:     (R,) float, confidence; None in ground truth
    """

    videos: tuple[str, ...]
    video: np.ndarray
    timestamp: np.ndarray
    boxes: np.ndarray
    label: np.ndarray
    score: np.ndarray | None = None

    def __post_init__(self) -> None:
        rows = len(self.video)
        shapes = {"timestamp": (rows,), "boxes": (rows, 4), "label": (rows,)}
        if self.score is not None:
            shapes["score"] = (rows,)
        for name, expected in shapes.items():
            found = getattr(self, name).shape
            if found != expected:
                raise ValueError(
                    f"BoxTable.{name} has shape {found}, expected {expected} to match {rows} rows of `video`"
                )

    def __len__(self) -> int:
        return len(self.video)

    def rows(self, keep: np.ndarray) -> "BoxTable":
        """The table with the rows that `keep` (mask or indices) selects; `videos` stays as it is."""
        score = None if self.score is None else self.score[keep]
        return BoxTable(self.videos, self.video[keep], self.timestamp[keep], self.boxes[keep], self.label[keep], score)
