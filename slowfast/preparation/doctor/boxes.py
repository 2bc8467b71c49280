"""What four numbers of a box may be, when they are not x1, y1, x2, y2 as fractions of the frame."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Change = Callable[[np.ndarray], np.ndarray]
SURE = 0.2  # a reading is better only if it finds so much more of the people


@dataclass(frozen=True)
class Reading:
    """name: what the numbers are, as a sentence goes on after "the boxes are"; change: (D, 4) -> xyxy in [0, 1]."""

    name: str
    advice: str
    change: Change


def _xywh(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _cxcywh(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def _yxyx(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, [1, 0, 3, 2]]


def _mirrored(boxes: np.ndarray) -> np.ndarray:
    return np.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], axis=1)


def _swapped(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, [2, 3, 0, 1]]


ORDERS: tuple[tuple[str, str, Change], ...] = (
    ("", "", lambda boxes: boxes),
    ("x, y, width, height (corner and size)", "write x + width and y + height in their place", _xywh),
    ("centre x, centre y, width, height", "write the corners", _cxcywh),
    ("y1, x1, y2, x2", "swap x and y", _yxyx),
    ("x2, y2, x1, y1 (corners swapped)", "write the upper left corner first", _swapped),
)


def readings(boxes: np.ndarray, frame_size: tuple[float, float] | None) -> list[Reading]:
    """All that is tried, the plain reading first. boxes: (D, 4); frame_size: (height, width) in pixels, if known."""
    found = [Reading(name or "as they should be", advice, change) for name, advice, change in ORDERS]
    found.append(Reading("mirrored left to right", "undo the mirroring: x1 is 1 - x2", _mirrored))
    top = float(np.nanquantile(np.abs(boxes), 0.99)) if len(boxes) else 0.0
    if top <= 2:
        return found
    scales = {
        "percent": ("percent of the frame", np.full(4, 100.0)),
        "thousandths": ("thousandths", np.full(4, 1000.0)),
    }
    height, width = frame_size or (float(boxes[:, [1, 3]].max()), float(boxes[:, [0, 2]].max()))
    if width > 0 and height > 0:
        scales["pixels"] = ("pixels", np.array([width, height, width, height]))
    for what, scale in scales.values():
        for name, _, change in ORDERS:
            order = f", {name}" if name else ""
            if what == "pixels":
                advice = "divide x by the width and y by the height of the frame"
            else:
                advice = f"divide them by {scale[0]:g}"
            flipped = scale[[1, 0, 3, 2]] if name.startswith("y1") else scale
            found.append(
                Reading(f"{what}{order}", advice, lambda b, s=flipped, c=change: c(b / s))  # type: ignore[misc]
            )
    return found
