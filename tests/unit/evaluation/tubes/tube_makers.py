"""Small tubes and detections for the tests of tubes."""

import numpy as np

from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.tube import Tube

BOX = (0.2, 0.2, 0.4, 0.6)


def tube(video: str, label: int, first: int, last: int, *, box: tuple = BOX, score: float | None = None) -> Tube:
    """A box that stays where it is on frames `first` to `last`."""
    frames = np.arange(first, last + 1)
    scores = None if score is None else np.full(len(frames), score)
    return Tube(video, label, frames, np.tile(box, (len(frames), 1)).astype(float), score, scores)


def detections(*rows: tuple) -> BoxTable:
    """rows: (video, frame, box, label, score)."""
    names = tuple(dict.fromkeys(row[0] for row in rows))
    columns = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    video, frame, boxes, label, score = map(list, columns)
    return BoxTable(
        names,
        np.array([names.index(name) for name in video], dtype=np.int32),
        np.array(frame, dtype=np.int32),
        np.array(boxes, dtype=np.float64).reshape(-1, 4),
        np.array(label, dtype=np.int32),
        np.array(score, dtype=np.float64),
    )
