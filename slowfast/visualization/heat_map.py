"""Where a network looked, laid over the picture it looked at."""

import cv2
import numpy as np

from slowfast.visualization.draw import INK, PAPER, readable_scale

# Dark where nothing is looked at, so that the picture itself is seen there, dimmed; the warmest place is the peak.
_DIMMED, _COVERED = 0.6, 0.8


def draw_heat(picture: np.ndarray, heat: np.ndarray, *, peak: float, scale: int | None = None) -> np.ndarray:
    """A picture with a heat map on it -> (scale*H, scale*W, 3) uint8 RGB; the input is not changed.

    picture: (H, W, 3) uint8 RGB; heat: (h, w) from 0 on, over the whole picture
    peak:    the heat that is drawn hottest. Heat is drawn by its square root: most of it is far below its peak
    scale:   whole enlargement; None enlarges until text can be read
    """
    height, width = picture.shape[:2]
    scale = readable_scale(height, width) if scale is None else scale
    size = (width * scale, height * scale)
    large = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    share = np.sqrt(np.clip(heat / max(peak, 1e-12), 0, 1)).astype(np.float32)
    share = np.clip(cv2.resize(share, size, interpolation=cv2.INTER_CUBIC), 0, 1)
    colours = cv2.applyColorMap(np.round(255 * share).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    grey = large.mean(axis=2, keepdims=True)
    cover = (_COVERED * share)[..., None]
    mixed = (1 - cover) * _DIMMED * (0.5 * large + 0.5 * grey) + cover * colours
    drawn: np.ndarray = np.clip(np.round(mixed), 0, 255).astype(np.uint8)
    return drawn


def smooth_heat(heat: np.ndarray) -> np.ndarray:
    """(t, h, w) -> the same shape, each slice blurred by about a cell, sums kept within rounding and borders.

    Pooled keys give more to the cell in the middle of their window than to those beside it: without this a pattern of dots
    lies over the map, which tells of the strides of the network and not of the picture.
    """
    return np.stack([cv2.GaussianBlur(one, (3, 3), 0.8, borderType=cv2.BORDER_REPLICATE) for one in heat])


def draw_cell(picture: np.ndarray, cell: tuple[float, float, float, float]) -> None:
    """Outline a cell, xyxy in [0, 1] of the picture, on the picture itself: white with dark edges."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = (round(v * s) for v, s in zip(cell, (width, height, width, height), strict=True))
    pen = max(2, round(width / 240))
    for colour, thickness in ((INK, pen + 2), (PAPER, pen)):
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, thickness=thickness)
