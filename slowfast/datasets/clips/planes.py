"""From pixels, whose three colours lie side by side, to the planes of a clip."""

import cv2
import numpy as np
import torch
from torch import Tensor


def to_planes(frames: np.ndarray) -> Tensor:
    """(T, H, W, 3) uint8 -> (3, T, H, W) uint8, in memory of its own.

    OpenCV takes the colours apart with instructions made for it, in a sixth of the time of a copy by numpy or torch
    (tools/benchmark.py loader --task transforms).
    """
    count, height, width, colours = frames.shape
    rows = np.ascontiguousarray(frames).reshape(count * height, width, colours)
    planes = np.empty((colours, count * height, width), dtype=np.uint8)
    cv2.split(rows, list(planes))
    return torch.from_numpy(planes.reshape(colours, count, height, width))
