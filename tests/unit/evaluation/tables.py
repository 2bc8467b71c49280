"""Small BoxTables for the tests of the evaluation."""

import numpy as np

from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable

NOBODY = (float("nan"),) * 4


def table(*rows: tuple, scored: bool = False, dtype: type = np.float64) -> BoxTable:
    """rows: (video, timestamp, box or None, label[, score]); None lists a key frame without people."""
    names = tuple(sorted({row[0] for row in rows}))
    return BoxTable(
        names,
        np.array([names.index(row[0]) for row in rows], dtype=np.int32),
        np.array([row[1] for row in rows], dtype=np.int32),
        np.array([NOBODY if row[2] is None else row[2] for row in rows], dtype=dtype).reshape(-1, 4),
        np.array([NO_LABEL if row[2] is None else row[3] for row in rows], dtype=np.int32),
        np.array([row[4] for row in rows], dtype=dtype) if scored else None,
    )


def found(*rows: tuple, dtype: type = np.float64) -> BoxTable:
    """rows: (video, timestamp, box, label, score)."""
    return table(*rows, scored=True, dtype=dtype)


def random_case(seed: int, *, frames: int = 12, boxes_per_frame: int = 7) -> tuple[BoxTable, BoxTable]:
    """Coarse coordinates and scores, so that equal boxes, equal IoUs, IoUs of exactly 0.5 and tied scores all occur."""
    rng = np.random.default_rng(seed)
    keys = [(f"video {i % 3}", 900 + i // 3) for i in range(frames)]
    truth, rows = [], []
    for video, time in keys:
        people = [_random_box(rng) for _ in range(rng.integers(0, 4))]
        truth += [(video, time, box, int(rng.integers(1, 6))) for box in people for _ in range(rng.integers(1, 3))]
        if not people and rng.random() < 0.6:
            truth.append((video, time, None, NO_LABEL))
        for _ in range(boxes_per_frame):
            near = people and rng.random() < 0.6
            box = people[rng.integers(len(people))] if near else _random_box(rng)
            labels = rng.choice(np.arange(1, 8), size=3, replace=False)
            rows += [(video, time, box, int(label), float(rng.integers(1, 9)) / 8) for label in labels]
    rows.append(("video 0", 900, (0.3, 0.3, 0.3, 0.6), 1, 1.0))
    return table(*truth), found(*rows)


def _random_box(rng: np.random.Generator) -> tuple[float, ...]:
    low, size = rng.integers(0, 6, 2), rng.integers(1, 5, 2)
    return tuple(np.concatenate([low, low + size]) / 10)
