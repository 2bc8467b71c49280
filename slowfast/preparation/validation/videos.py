"""Annotations against videos: is each there, can it be opened, and does it show every key frame?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slowfast.datasets.annotations.people.key_frames import KeyFrames
from slowfast.datasets.clips.key_frame_clips import ClipShape, FrameClock, SecondClock
from slowfast.preparation.called_alike import FilesBelow
from slowfast.preparation.faults import Faults
from slowfast.utils.progress import progress
from slowfast.video.pictures.frames import FrameFolders
from slowfast.video.reader import VIDEO_EXTENSIONS, VideoFiles
from slowfast.video.source import ClipReadError

Pixels = VideoFiles | FrameFolders
ONE_FRAME = ClipShape(num_frames=1, sampling_rate=1)
_NEAR = 1.0  # seconds from an end in which a key frame is read to know whether it is shown
_MISSED = 0.5  # share of key frames outside their videos from which the clock is suspected
_USUAL_STARTS = (0, 900)  # seconds of a file's start that sets use: most, and AVA
_SHOWN = 5
_BEYOND = ("frame is shown", "decodes to frames", "it has frames")  # what a reader says of moments a video lacks


@dataclass(frozen=True)
class VideoCheck:
    """What is asked of the videos of one split.

    place: (video, timestamp) -> {"file": ..., "line": ...} of the annotation that names it
    pixels, clock: as in KeyFrameSplit
    """

    name: str
    key_frames: KeyFrames
    pixels: Pixels
    clock: SecondClock | FrameClock
    place: Callable[[str, float], dict]


@dataclass(frozen=True)
class _Span:
    """One video: its key frames (k,), in seconds or frame numbers of the annotation, and how long it is in that unit."""

    check: VideoCheck
    video: str
    timestamps: np.ndarray
    length: float
    fps: float

    def outside(self, first: float) -> np.ndarray:
        """(k,) bool: which lie more than rounding outside, if `first` is the start of the video."""
        at = self.timestamps - first
        return (at < -_NEAR / 2) | (at >= self.length + _NEAR / 2)


def check_videos(checks: Sequence[VideoCheck], faults: Faults, *, decode: bool, ignore_missing: bool = False) -> None:
    """Report what the videos of all splits do not show. decode: read every key frame, and not only those near an end."""
    spans = []
    for check in checks:
        files = FilesBelow(check.pixels.root) if isinstance(check.pixels, VideoFiles) else None
        names = check.key_frames.used_videos
        for video in progress(list(names), what=f"videos of {check.name}", total=len(names), unit="video"):
            span = _measure(check, video, faults, files, ignore_missing=ignore_missing)
            if span is not None:
                spans.append(span)
    by_clock = [span for span in spans if isinstance(span.check.clock, SecondClock)]
    if by_clock and _wrong_clock(by_clock, faults):
        return  # every key frame would be named, for one reason
    _crowded(by_clock, faults)
    for span in progress(spans, what="key frames", total=len(spans), unit="video"):
        _read_key_frames(span, faults, decode=decode)


def _measure(
    check: VideoCheck, video: str, faults: Faults, files: FilesBelow | None, *, ignore_missing: bool
) -> _Span | None:
    """How long a video is; None where it cannot be known, which is then a fault. files: those that are there."""
    key_frames = check.key_frames
    timestamps = key_frames.timestamp[key_frames.video == key_frames.videos.index(video)]
    place = check.place(video, timestamps[0].item())
    try:
        check.pixels.check(video)
    except ClipReadError as error:
        kind = "missing video, ignored" if ignore_missing else "missing video"
        faults.add(kind, f"{check.name}: {error}{files.hint(video) if files else ''}", **place)
        return None
    try:
        length = check.pixels.length(video)
    except ClipReadError as error:
        faults.add("broken video", f"{check.name}: {error}", **place)
        return None
    counts = isinstance(check.clock, FrameClock)
    return _Span(check, video, timestamps, len(length) + 1 if counts else len(length) / length.fps, length.fps)


# ------------------------------------------------------------------------------------------------------- the clock


def _wrong_clock(spans: Sequence[_Span], faults: Faults) -> bool:
    """Do most key frames lie outside their videos, and all inside with another start, or in another unit?"""
    first = spans[0].check.clock.first_second  # type: ignore[union-attr]
    total = sum(len(span.timestamps) for span in spans)
    missed = sum(int(span.outside(first).sum()) for span in spans)
    if missed < _MISSED * total:
        return False
    low = min(float(span.timestamps.min()) for span in spans)
    high = max(float(span.timestamps.max()) - span.length for span in spans)
    told = f"{missed} of {total} key frames are outside their videos with AVA.FIRST_SECOND {first}"
    if high < low:  # one start serves all
        best = next((start for start in _USUAL_STARTS if high < start <= low), int(np.floor(low)))
        if best > high:
            faults.add(
                "first second",
                f"{told}, and all are inside with AVA.FIRST_SECOND {best}: annotations start at second {low:g}, and any "
                f"value above {max(high, 0):g} up to {low:g} fits",
            )
            return True
    for name, unit in (("frame numbers", [s.fps for s in spans]), ("milliseconds", [1000.0] * len(spans))):
        if all(s.timestamps.max() / u < s.length + _NEAR for s, u in zip(spans, unit, strict=True)):
            faults.add(
                "first second",
                f"{told}; the timestamps look like {name} (up to {max(s.timestamps.max() for s in spans):g}): divide them "
                f"by {'the frames per second' if name == 'frame numbers' else '1000'}, seconds are wanted",
            )
            return True
    return False


def _crowded(spans: Sequence[_Span], faults: Faults) -> None:
    """Are most key frames nearer to the next one than half a frame? Seconds would not be, minutes are."""
    gaps = [np.diff(np.sort(span.timestamps)) for span in spans]
    close = sum(int((gap < 0.5 / span.fps).sum()) for gap, span in zip(gaps, spans, strict=True))
    total = sum(len(gap) for gap in gaps)
    if total and close > total / 2:
        least = min(float(gap.min()) for gap in gaps if len(gap))
        faults.add(
            "crowded",
            f"{close} of {total} key frames are less than half a frame before the next one ({least:.4f} s at the least): "
            "are their times in minutes or hours? Seconds are wanted",
        )


# ------------------------------------------------------------------------------------------------------ key frames


def _read_key_frames(span: _Span, faults: Faults, *, decode: bool) -> None:
    """Read the key frames near the ends of a video, or all; those far outside need no look."""
    clock = span.check.clock
    first = clock.first_second if isinstance(clock, SecondClock) else 0
    outside = span.outside(first)
    at = span.timestamps - first
    near = ~outside & ((at < _NEAR) | (at > span.length - 1 - _NEAR))
    for timestamp in span.timestamps[outside].tolist():
        end = f"its frames are 1 to {span.length - 1:g}"
        if isinstance(clock, SecondClock):
            end = f"it lasts {span.length:.3f} s from second {first} (AVA.FIRST_SECOND)"
        faults.add(
            "beyond the video",
            f"{span.check.name}: {span.video} has a key frame at {timestamp:g}, and {end}",
            **span.check.place(span.video, timestamp),
        )
    inside = span.timestamps[~outside]
    if isinstance(clock, FrameClock):  # a frame is reached by decoding all before it: the last one tells of all
        for timestamp in inside[::-1].tolist():
            if _is_read(span, timestamp, faults):
                break
        return
    for timestamp in (inside if decode else span.timestamps[near]).tolist():
        _is_read(span, timestamp, faults)


def _is_read(span: _Span, timestamp: float, faults: Faults) -> bool:
    """Whether the key frame can be read; if not, that is a fault."""
    try:
        span.check.clock.read(span.check.pixels, span.video, timestamp, ONE_FRAME)
    except ClipReadError as error:
        beyond = any(text in error.reason for text in _BEYOND)
        faults.add(
            "beyond the video" if beyond else "unreadable",
            f"{span.check.name}: {error}",
            **span.check.place(span.video, timestamp),
        )
        return False
    return True


# ---------------------------------------------------------------------------------------------- videos without labels


def check_unlabelled(folder: Path, used: Sequence[str], faults: Faults) -> None:
    """Video files below `folder` that no split names. used: names as annotations write them."""
    if not folder.is_dir():
        return
    named = {name.lower() for name in used}
    idle = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in VIDEO_EXTENSIONS or path.name.startswith(".") or not path.is_file():
            continue
        relative = path.relative_to(folder)
        if not {relative.as_posix().lower(), relative.with_suffix("").as_posix().lower()} & named:
            idle.append(relative.as_posix())
    if idle:
        some = ", ".join(idle[:_SHOWN]) + (", ..." if len(idle) > _SHOWN else "")
        faults.add(
            "video without labels", f"{len(idle)} videos are not annotated: {some}", file=str(folder), count=len(idle)
        )
