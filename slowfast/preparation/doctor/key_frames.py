"""Do detections and annotations speak of the same key frames? Names of videos, and moments."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from slowfast.structures.annotations.box_table import BoxTable, exact_times, key_frame_codes
from slowfast.video.reader import VIDEO_EXTENSIONS

MOST_DIFFERENCES = 2_000_000
UNITS = (10.0, 12.0, 15.0, 23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 60.0, 1000.0)  # of timestamps that are no seconds


@dataclass(frozen=True)
class Overlap:
    """Of detections and truth: videos and key frames that both name, and the rows of detections on them."""

    videos: int
    truth_videos: int
    detection_videos: int
    key_frames: int
    truth_key_frames: int
    detection_key_frames: int
    rows: int
    detection_rows: int

    @property
    def share(self) -> float:
        """Of the truth's key frames, those with a detection."""
        return self.key_frames / self.truth_key_frames if self.truth_key_frames else 0.0


def overlap(truth: BoxTable, detections: BoxTable) -> Overlap:
    """Count."""
    number = {name: i for i, name in enumerate(truth.videos)}
    own = np.array([number.get(name, -1) for name in detections.videos], dtype=np.int64)
    key, listed = key_frame_codes(own[detections.video], detections.timestamp), np.unique(truth.key_frame)
    on = np.isin(key, listed)
    return Overlap(
        videos=len(set(truth.videos) & set(detections.videos)),
        truth_videos=len(truth.videos),
        detection_videos=len(detections.videos),
        key_frames=len(np.unique(key[on])),
        truth_key_frames=len(listed),
        detection_key_frames=len(np.unique(detections.key_frame)),
        rows=int(on.sum()),
        detection_rows=len(detections),
    )


def _no_extension(name: str) -> str:
    return re.sub("(" + "|".join(map(re.escape, VIDEO_EXTENSIONS)) + ")$", "", name, flags=re.IGNORECASE)


# How names of the same videos may differ, and what to say of it.
NAMINGS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("one has the extension of the file and the other has not", _no_extension),
    ("one has folders before the name and the other has not", lambda name: PurePosixPath(name.replace("\\", "/")).name),
    ("one has folders and an extension and the other has not", lambda name: _no_extension(PurePosixPath(name).name)),
    ("upper and lower case differ", str.lower),
    ("blanks stand around one of them", str.strip),
)


def renamed(truth: BoxTable, detections: BoxTable) -> Iterator[tuple[str, BoxTable]]:
    """Detections whose videos are called as the truth calls them, for each way in which the names might differ."""
    for how, change in NAMINGS:
        by_changed = {change(name): name for name in truth.videos}
        names = [by_changed.get(change(name), name) for name in detections.videos]
        if tuple(names) != detections.videos and len(set(names)) == len(names):
            yield how, replace(detections, videos=tuple(names))


def moved(truth: BoxTable, detections: BoxTable) -> Iterator[tuple[str, BoxTable]]:
    """Detections at other moments: all shifted by the commonest difference, or counted in another unit."""
    shift = _commonest_shift(truth, detections)
    if shift:
        # What to do is told from the side of the detections: subtract what they are late by.
        sign = "late" if shift < 0 else "early"
        how = f"they are {abs(shift):g} {sign}: add {shift:g} to their timestamps (AVA.FIRST_SECOND of the run?)"
        yield how, replace(detections, timestamp=exact_times(detections.timestamp + shift))
    for unit in UNITS:
        what = "milliseconds" if unit == 1000 else f"numbers of frames at {unit:g} a second"
        divided = exact_times(detections.timestamp / unit)
        yield f"they are {what}: divide their timestamps by {unit:g}", replace(detections, timestamp=divided)


def _commonest_shift(truth: BoxTable, detections: BoxTable) -> float:
    """The number that, added to the detections' timestamps, puts most of them on key frames; 0 for none."""
    differences = []
    room = MOST_DIFFERENCES
    for video in sorted(set(truth.videos) & set(detections.videos)):
        wanted = np.unique(truth.timestamp[truth.video == truth.videos.index(video)])
        found = np.unique(detections.timestamp[detections.video == detections.videos.index(video)])
        if len(wanted) * len(found) <= room:
            differences.append((wanted[:, None] - found[None, :]).ravel())
            room -= len(wanted) * len(found)
    if not differences:
        return 0.0
    values, counts = np.unique(np.round(np.concatenate(differences), 3), return_counts=True)
    return float(values[np.argmax(counts)])
