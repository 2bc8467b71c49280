"""Which frames a clip has: T frames, `sampling_rate` apart, around the key frame (BMViT: 16 x 4).

Frame i of T sits (i - T // 2) * sampling_rate frames from the key frame. For even T this is PySlowFast's AVA sampling,
range(center - half, center + half, rate) with half = T * rate // 2: 16 x 4 gives -32, -28, ..., +28. For odd T
PySlowFast's range misses the key frame by rate // 2; ours holds it, so that the boxes belong to a frame of the clip.
"""

from typing import Literal

import numpy as np

Order = Literal["forward", "reversed", "frozen"]
ORDERS = ("forward", "reversed", "frozen")


def clip_offsets(num_frames: int, sampling_rate: int) -> np.ndarray:
    """(T,) int64 offsets in frames from the key frame, which is at index T // 2; T = 1 is the key frame alone."""
    if num_frames < 1 or sampling_rate < 1:
        raise ValueError(f"a clip needs at least 1 frame, at least 1 frame apart; got {num_frames} x {sampling_rate}")
    return (np.arange(num_frames, dtype=np.int64) - num_frames // 2) * sampling_rate


def clip_times(center_time: float, *, num_frames: int, sampling_rate: int, fps: float) -> np.ndarray:
    """(T,) float64 seconds of a clip around second `center_time`; the sampling rate counts frames at `fps`."""
    if not fps > 0:
        raise ValueError(f"frames per second must be positive, got {fps}; it is a property of the data set")
    return center_time + clip_offsets(num_frames, sampling_rate) / fps


def clip_frame_numbers(
    center: int, *, num_frames: int, sampling_rate: int, first: int, last: int
) -> tuple[np.ndarray, int]:
    """((T,) int64 frame numbers, how many were clamped) of a clip around frame number `center`.

    Numbers beyond [first, last] repeat that end. Raises ValueError when the key frame itself is beyond them.
    """
    if not first <= center <= last:
        rule = "only context frames may repeat an end"
        raise ValueError(f"key frame {center} is outside the video's frames {first} to {last}; {rule}")
    numbers = center + clip_offsets(num_frames, sampling_rate)
    inside = np.clip(numbers, first, last)
    return inside, int((inside != numbers).sum())


def key_index(num_frames: int, order: Order = "forward") -> int:
    """Position of the key frame in a clip: T // 2; in a reversed clip its mirror image T - 1 - T // 2."""
    _check_order(order)
    return num_frames - 1 - num_frames // 2 if order == "reversed" else num_frames // 2


def reorder(indices: np.ndarray, order: Order) -> np.ndarray:
    """(T,) times or frame numbers in forward order -> (T,) in `order`: controls that ask whether a model uses time.

    "reversed" plays the same frames backwards (for even T the key frame moves by one, see `key_index`); "frozen"
    repeats the key frame.
    """
    _check_order(order)
    indices = np.asarray(indices)
    if order == "reversed":
        return indices[::-1].copy()
    if order == "frozen":
        return np.full_like(indices, indices[key_index(len(indices))])
    return indices


def _check_order(order: str) -> None:
    if order not in ORDERS:
        raise ValueError(f"clip order {order!r} is unknown; known: {', '.join(ORDERS)}")
