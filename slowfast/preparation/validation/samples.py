"""Key frames with their annotated boxes, drawn: what a look at the data shows first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slowfast.datasets.annotations.people.key_frames import KeyFrames
from slowfast.preparation.validation.videos import ONE_FRAME, VideoCheck
from slowfast.report.pictures import fitted
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.video.source import ClipReadError
from slowfast.visualization.draw import draw_detections

SHOWN = 6  # key frames of a split
LONG_SIDE, TEXT = 560, 1.25


@dataclass(frozen=True)
class SampleFrame:
    """title: video and moment; picture: (h, w, 3) uint8 RGB with its boxes, None where it could not be read, and why."""

    title: str
    picture: np.ndarray | None
    problem: str = ""


def sample_frames(check: VideoCheck, label_map: LabelMap, *, count: int = SHOWN) -> list[SampleFrame]:
    """Key frames of different videos, evenly spread, with people on them."""
    key_frames = check.key_frames
    with_people = np.flatnonzero(np.diff(key_frames.first_person) > 0)
    chosen = _spread(key_frames, with_people, count)
    return [_drawn(check, label_map, k) for k in chosen]


def _spread(key_frames: KeyFrames, rows: np.ndarray, count: int) -> Sequence[int]:
    """`count` of the key frames: one from each of evenly spread videos, then evenly spread ones."""
    if len(rows) <= count:
        return rows.tolist()
    videos = np.unique(key_frames.video[rows])
    picked = videos[np.unique(np.linspace(0, len(videos) - 1, min(count, len(videos))).round().astype(int))]
    middles = [int(mine[len(mine) // 2]) for mine in (rows[key_frames.video[rows] == video] for video in picked)]
    rest = [int(k) for k in rows[np.linspace(0, len(rows) - 1, count).round().astype(int)] if int(k) not in middles]
    return sorted([*middles, *rest][:count])


def _drawn(check: VideoCheck, label_map: LabelMap, k: int) -> SampleFrame:
    key_frames = check.key_frames
    video, timestamp = key_frames.video_name(k), key_frames.timestamp[k].item()
    title = f"{check.name}: {video}, {timestamp:g}"
    try:
        frame = check.clock.read(check.pixels, video, timestamp, ONE_FRAME).frames[0]
    except ClipReadError as error:
        return SampleFrame(title, None, str(error))
    boxes, actions = key_frames.people(k)
    names = [[label_map.names[c] for c in np.flatnonzero(row)] for row in actions]
    small = fitted(frame, LONG_SIDE)
    nothing: tuple[np.ndarray, list] = (np.zeros((0, 4)), [])
    picture = draw_detections(small[None], *nothing, groundtruth=(boxes, names), text=TEXT)[0]
    return SampleFrame(title, picture)
