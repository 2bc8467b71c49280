"""Which frames a clip has: T frames, `sampling_rate` apart, around the key frame (BMViT: 16 x 4).

Frame i of T sits (i - T // 2) * sampling_rate frames from the key frame. For even T this is PySlowFast's AVA sampling,
range(center - half, center + half, rate) with half = T * rate // 2: 16 x 4 gives -32, -28, ..., +28. For odd T
PySlowFast's range misses the key frame by rate // 2; ours holds it, so that the boxes belong to a frame of the clip.
"""

from typing import Literal

import numpy as np

Order = Literal["forward", "reversed", "frozen"]
ORDERS = ("forward", "reversed", "frozen")


def check_order(order: str) -> None:
    """Raises ValueError for an order that is none."""
    if order not in ORDERS:
        raise ValueError(f"clip order {order!r} is unknown; known: {', '.join(ORDERS)} (TEST.FRAME_ORDER)")


def clip_offsets(num_frames: int, sampling_rate: int, order: Order = "forward") -> np.ndarray:
    """(T,) int64 offsets in frames from the key frame, which is at index T // 2 (offset 0); T = 1 is the key frame alone.

    The other orders are controls that ask whether a model uses time: "reversed" plays the clip backwards, mirrored at
    the key frame, which stays where it is; "frozen" repeats the key frame.
    """
    if num_frames < 1 or sampling_rate < 1:
        raise ValueError(
            f"a clip needs at least 1 frame and a sampling rate of at least 1, got {num_frames} x {sampling_rate}"
        )
    check_order(order)
    direction = {"forward": 1, "reversed": -1, "frozen": 0}[order]
    return direction * (np.arange(num_frames, dtype=np.int64) - num_frames // 2) * sampling_rate


def clip_times(
    center_time: float, *, num_frames: int, sampling_rate: int, fps: float, order: Order = "forward"
) -> np.ndarray:
    """(T,) float64 seconds of a clip whose key frame is shown at `center_time`; the sampling rate counts frames at `fps`."""
    if not fps > 0:
        raise ValueError(f"frames per second must be positive, got {fps}; it is a property of the data set")
    return center_time + clip_offsets(num_frames, sampling_rate, order) / fps
