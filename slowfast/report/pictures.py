"""Pictures inside a page: made small, as JPEG, and as an <img> that holds its own content. RGB throughout."""

from html import escape

import cv2
import numpy as np

from slowfast.report.svg import data_uri


def fitted(frame: np.ndarray, long_side: int, *, enlarge: bool = False) -> np.ndarray:
    """(H, W, 3) with a long side of `long_side` pixels; smaller frames stay as they are unless `enlarge`."""
    height, width = frame.shape[:2]
    factor = long_side / max(height, width)
    if factor >= 1 and not enlarge:
        return frame
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA)


def jpeg(picture: np.ndarray, *, quality: int) -> bytes:
    """(h, w, 3) uint8 RGB as JPEG. Raises ValueError when OpenCV cannot encode it."""
    done, content = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"OpenCV could not encode a picture of shape {picture.shape} as JPEG")
    return content.tobytes()


def img(picture: np.ndarray, *, quality: int, alt: str, kind: str = "") -> str:
    """An <img> with the (h, w, 3) picture in it; kind: its class in the style sheet."""
    height, width = picture.shape[:2]
    named = f' class="{kind}"' if kind else ""
    uri = data_uri(jpeg(picture, quality=quality), kind="image/jpeg")
    return (
        f'<img{named} src="{uri}" width="{width}" height="{height}" alt="{escape(alt, quote=True)}" decoding="async">'
    )
