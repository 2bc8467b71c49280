"""The player: one HTML page with the video, its people drawn over it, and a timeline lane for each person and action.

The page loads nothing but the video, which is inside it when it is small and else a file it names by a relative path.
Whatever comes from a video or a label map is data (JSON) or text; the page runs one script, whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from slowfast.inference.tracking.spans import action_spans, link_people
from slowfast.inference.written.player_style import CSS, SCRIPT
from slowfast.inference.written.results import ClassificationResult, DetectionResult, Result
from slowfast.structures.outputs.moment import ActionClass, ActionScore
from slowfast.utils.files import write_text
from slowfast.video.pyav import av
from slowfast.visualization.draw import action_colour

EMBEDDED_BYTES = 8 * 1024 * 1024  # a video of at most so many is put into the page
MOST_LANES = 300
# What browsers play as it is.
_KINDS = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm"}
_CODECS = ("h264", "vp8", "vp9", "av1", "libdav1d", "libvpx", "libvpx-vp9")
_PIXELS = ("yuv420p", "yuvj420p")


def plays_in_browsers(video: str | Path) -> bool:
    """Container, codec and pixel format are such that every browser shows the video."""
    if Path(video).suffix.lower() not in _KINDS:
        return False
    with av.open(str(video)) as container:
        if not container.streams.video:
            return False
        codec = container.streams.video[0].codec_context
        return codec.name in _CODECS and codec.pix_fmt in _PIXELS


def write_player(result: Result, path: str | Path, *, video: str | Path | None) -> None:
    """Write the page about one video; whole or not at all.

    video: the file to play, embedded up to EMBEDDED_BYTES, else named relative to the page; None for one that the
           reader of the page chooses
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(player_html(result, video_address(video, path.parent)), path)


def video_address(video: str | Path | None, folder: Path) -> str:
    """What the page in `folder` calls the video: a data URI, a relative URL, or "" for none."""
    if video is None:
        return ""
    file = Path(video)
    if file.stat().st_size <= EMBEDDED_BYTES:
        kind = _KINDS.get(file.suffix.lower(), "video/mp4")
        return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
    return quote(Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix())


def player_html(result: Result, address: str) -> str:
    """The page as text. address: of the video, see `video_address`."""
    name = Path(result.source).name
    data = json.dumps(_data(result), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Inside a script element only "<" could end it.
    data = data.replace("<", "\\u003c")
    allowed = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = (
        "default-src 'none'; media-src 'self' file: data: blob:; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{allowed}'"
    )
    source = f' src="{escape(address, quote=True)}"' if address else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<title>{escape(name)}: who does what</title><link rel="icon" href="data:,"><style>{CSS}</style></head><body>'
        f"<main><h1>{escape(name)}</h1><p>{escape(_summary(result))}</p>"
        '<p id="missing" class="note" hidden>The video is not where this page looks for it, or this browser does not play '
        'it. Choose the file: <input type="file" accept="video/*" aria-label="the video file"></p>'
        f'<div class="stage"><video controls preload="metadata" playsinline{source}></video><canvas></canvas></div>'
        '<div class="bar"><output></output><label><input type="checkbox" id="boxes" checked> boxes</label>'
        '<label><input type="checkbox" id="names" checked> names</label>'
        "<span>solid: found on this frame; dashed: interpolated</span></div>"
        f'<div class="lanes" role="group" aria-label="timeline"></div>{_notes(result)}</main>'
        f'<script type="application/json" id="data">{data}</script><script>{SCRIPT}</script></body></html>\n'
    )


def _summary(result: Result) -> str:
    if isinstance(result, DetectionResult):
        people = sum(len(moment.people) for moment in result.moments)
        return (
            f"{people or 'no'} people on {len(result.moments)} key frames, one every {result.every:g} s of "
            f"{result.seconds:.1f} s.{' Click the timeline to jump.' if people else ''}"
        )
    return f"{len(result.clips)} stretches of {result.seconds:.1f} s. Click the timeline to jump."


def _notes(result: Result) -> str:
    told = []
    if isinstance(result, DetectionResult) and result.skipped:
        told = [f"No people are told at second {s.time:g}: {s.reason}" for s in result.skipped[:20]]
        if len(result.skipped) > 20:
            told.append(f"The same holds for {len(result.skipped) - 20} more key frames.")
    hidden = len(_all_lanes(result)) - MOST_LANES
    if hidden > 0:
        told.append(f"{hidden} more lanes, of the shortest actions, are not shown.")
    return "".join(f'<p class="note">{escape(text)}</p>' for text in told)


def _data(result: Result) -> dict[str, Any]:
    index = {action.id: i for i, action in enumerate(result.classes)}
    data: dict[str, Any] = {
        "seconds": max(result.seconds, 1e-3),
        "every": result.every or result.seconds,
        "frame": result.frame_seconds if isinstance(result, DetectionResult) else 0.04,
        "classes": [action.name for action in result.classes],
        "colours": ["#{:02x}{:02x}{:02x}".format(*action_colour(action.name)) for action in result.classes],
        "moments": [],
        "clips": [],
        "lanes": _all_lanes(result)[:MOST_LANES],
    }
    if isinstance(result, ClassificationResult):
        data["clips"] = [{"t": round(clip.start, 4), "a": _told(clip.classes, index)} for clip in result.clips]
        return data
    links = link_people(result.moments, every=result.every)
    for moment, numbers in zip(result.moments, links, strict=True):
        people = [
            {
                "b": [round(value, 4) for value in person.box],
                "k": number,
                "n": person.track,
                "a": _told(person.actions, index),
            }
            for person, number in zip(moment.people, numbers, strict=True)
        ]
        data["moments"].append({"t": round(moment.time, 4), "p": people})
    if result.moments:
        data["height"], data["width"] = result.moments[0].frame_size
    return data


def _told(actions: tuple[ActionScore, ...], index: dict[int, int]) -> list[list[float]]:
    return [[index[action.id], round(action.score, 3)] for action in actions]


def _all_lanes(result: Result) -> list[dict[str, Any]]:
    """A lane per person and action, or per action where people are not tracked; the longest are kept, in order."""
    lanes = list(_lanes(result))
    lanes.sort(key=lambda lane: -sum(end - start for start, end, _ in lane["spans"]))
    kept = lanes[:MOST_LANES]
    kept.sort(key=lambda lane: (lane["person"], lane["spans"][0][0]))
    return kept + lanes[MOST_LANES:]


def _lanes(result: Result) -> Iterator[dict[str, Any]]:
    if isinstance(result, DetectionResult) and result.tracked:
        by_lane: dict[tuple[int, str], list[list[float]]] = {}
        for span in action_spans(result.moments):
            # A span ends on a key frame; what is seen once is drawn as long as a key frame stands for.
            end = min(max(span.end, span.start + result.every / 2), result.seconds)
            by_lane.setdefault((span.track, span.action.name), []).append(_span(span.start, end, span.action.score))
        for (track, name), spans in by_lane.items():
            yield {"name": f"person {track}: {name}", "action": name, "person": track, "spans": spans}
        return
    for action in result.classes:
        if spans := _spans_of(result, action):
            yield {"name": action.name, "action": action.name, "person": 0, "spans": spans}


def _spans_of(result: Result, action: ActionClass) -> list[list[float]]:
    """When anyone does the action, key frame by key frame, successive ones joined."""
    if isinstance(result, DetectionResult):
        told = [
            (moment.time, min(moment.time + result.every, result.seconds), actions)
            for moment in result.moments
            for actions in [[a for person in moment.people for a in person.actions]]
        ]
    else:
        told = [(clip.start, clip.end, list(clip.classes)) for clip in result.clips]
    spans: list[list[float]] = []
    for start, end, actions in told:
        scores = [a.score for a in actions if a.id == action.id]
        if not scores:
            continue
        if spans and start - spans[-1][1] < 1e-3:
            spans[-1] = _span(spans[-1][0], end, max(spans[-1][2], *scores))
        else:
            spans.append(_span(start, end, max(scores)))
    return spans


def _span(start: float, end: float, score: float) -> list[float]:
    return [round(start, 3), round(end, 3), round(score, 3)]
