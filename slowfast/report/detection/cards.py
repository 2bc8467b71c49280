"""The gallery of a report: annotated key frames as JPEG, and their clips as strips of frames that play on hover or tap.

A clip is one JPEG with its frames side by side, moved by a CSS animation: no codec, no script, nothing beside the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from slowfast.report.pictures import fitted, img, jpeg
from slowfast.report.svg import data_uri
from slowfast.visualization.draw import DrawnClip, draw_detections

PICTURE_TEXT = 1.25  # times the usual size: a card may be narrower than 400 pixels
PICTURE_LONG_SIDE, STRIP_LONG_SIDE = 560, 288  # pixels
STRIP_FRAMES = 8  # frames of a clip shown, at most
PICTURE_QUALITY, STRIP_QUALITY = 82, 68


@dataclass(frozen=True)
class Shot:
    """What one run found on a key frame. clip: None when its pixels could not be read, and `problem` says why.

    run: name of the run, shown where two runs are compared; missed, false: sentences on what went wrong
    """

    run: str
    clip: DrawnClip | None
    error: float
    people: int
    found: int
    missed: tuple[str, ...]
    false: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True)
class Card:
    """One key frame, as one or two runs saw it."""

    title: str
    shots: tuple[Shot, ...]


def card_html(card: Card, *, name: str) -> str:
    """An <article> with the card's pictures; name: distinct on the page."""
    shots = "".join(
        _shot_html(shot, name=f"{name}-{i}", named=len(card.shots) > 1) for i, shot in enumerate(card.shots)
    )
    kind = f"card shots{len(card.shots)}"
    return f'<article class="{kind}"><h4>{escape(card.title)}</h4><div class="shots">{shots}</div></article>'


def _shot_html(shot: Shot, *, name: str, named: bool) -> str:
    run = f"<b>{escape(shot.run)}</b> · " if named else ""
    caption = f"{run}{shot.found} of {shot.people} people found · error {shot.error:.2f}"
    told = "".join(f'<li class="miss">{escape(text)}</li>' for text in shot.missed)
    told += "".join(f'<li class="false">{escape(text)}</li>' for text in shot.false)
    if shot.clip is None:
        picture = f'<p class="note">The clip could not be read: {escape(shot.problem)}</p>'
    else:
        picture = _clip_html(shot.clip, name=name)
    return f"<figure>{picture}<figcaption>{caption}<ul>{told}</ul></figcaption></figure>"


def _clip_html(clip: DrawnClip, *, name: str) -> str:
    frames = clip.frames[_shown_frames(len(clip.frames))]
    picture, strip = key_picture(clip), frame_strip(frames)
    height, width = picture.shape[:2]
    moving = data_uri(jpeg(strip, quality=STRIP_QUALITY), kind="image/jpeg")
    return (
        f'<label class="clip" style="--frames:{len(frames)};aspect-ratio:{width}/{height}">'
        f'<input type="checkbox" id="{name}" aria-label="play the clip of {escape(clip.title, quote=True)}">'
        f"{img(picture, quality=PICTURE_QUALITY, alt=clip.title)}"
        f'<span class="strip" style="background-image:url(\'{moving}\')"></span></label>'
    )


def _shown_frames(count: int) -> np.ndarray:
    """Indices of at most STRIP_FRAMES frames, spread over the clip."""
    return np.unique(np.linspace(0, count - 1, min(count, STRIP_FRAMES)).round().astype(int))


def key_picture(clip: DrawnClip) -> np.ndarray:
    """(h, w, 3) RGB key frame with what was found and what is annotated; big frames are made smaller first."""
    frame = fitted(clip.frames[clip.key_index], PICTURE_LONG_SIDE)
    return draw_detections(frame[None], clip.boxes, clip.labels, groundtruth=clip.groundtruth, text=PICTURE_TEXT)[0]


def frame_strip(frames: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) RGB -> (h, T * w, 3), the frames side by side."""
    small = [fitted(frame, STRIP_LONG_SIDE, enlarge=True) for frame in frames]
    return np.concatenate(small, axis=1)


def gallery_html(cards: Sequence[Card], *, name: str) -> str:
    """All cards; name: distinct on the page."""
    return (
        '<div class="gallery">'
        + "".join(card_html(card, name=f"{name}-{i}") for i, card in enumerate(cards))
        + "</div>"
    )
