"""What is wrong, or looks wrong, in annotations that could be read: moments that a video lacks, classes written in two ways."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from slowfast.preparation.converters.annotations import Annotations, VideoTimes
from slowfast.video.source import ClipReadError

_SHOWN = 4


def check_times(found: Annotations, videos: VideoTimes, *, advice: str = "") -> list[str]:
    """Are all moments within their videos? Those of videos that cannot be read are not known, which is what is returned.

    advice: what else may be the reason in the format that was read, after the message
    Raises ValueError for a moment before the start or beyond the end, with the unit that would fit.
    """
    moments: dict[str, set[float]] = defaultdict(set)
    for video, time in [*((label.video, label.time) for label in found.labels), *found.empty]:
        moments[video].add(time)
    unknown, outside = [], []
    lengths = {}
    for video in sorted(moments):
        try:
            timing = videos.of(video)
        except ClipReadError as error:
            unknown.append(f"video {video!r} cannot be read, so its moments were not looked at: {error.reason}")
            continue
        lengths[video] = timing.length
        outside += [(video, t) for t in sorted(moments[video]) if t < 0 or timing.misses(t)]
    if outside:
        video, time = outside[0]
        total = sum(len(moments[name]) for name in lengths)
        raise ValueError(
            f"{len(outside)} of {total} key frames are before the start or beyond the end of their video, such as second "
            f"{time:g} of {video!r}, which lasts {lengths[video]:.3f} s; times are seconds since the start of the "
            f"film{_unit(outside, lengths, videos) if len(outside) > total / 2 else ''}{advice}"
        )
    more = [f"{len(unknown) - _SHOWN} more videos cannot be read"] if len(unknown) > _SHOWN else []
    return [*unknown[:_SHOWN], *more]


def _unit(outside: Sequence[tuple[str, float]], lengths: dict[str, float], videos: VideoTimes) -> str:
    """Which unit would bring all of them inside."""
    if any(time < 0 for _, time in outside):
        return ""
    for unit, per_second in (("frame numbers", None), ("milliseconds", 1000.0)):
        if all(time / (per_second or videos.of(video).rate) <= lengths[video] + 1 for video, time in outside):
            return f"; are these {unit}?" + (" Call their column frame" if per_second is None else "")
    return ""


def alike(classes: Sequence[str]) -> list[str]:
    """Classes whose names differ in upper and lower case, spaces, "-" and "_" only: most often one that was written in two
    ways, which would be learned as two."""
    ways: dict[str, list[str]] = defaultdict(list)
    for name in classes:
        ways["".join(letter for letter in name.casefold() if letter not in " -_")].append(name)
    doubled = [" and ".join(map(repr, names)) for names in ways.values() if len(names) > 1]
    return [
        f"the classes {names} are learned as different ones; is it one that was written in two ways?"
        for names in doubled
    ]


def looks_like_percent(boxes: np.ndarray, sizes: np.ndarray) -> bool:
    """Do boxes in pixels, (N, 4) xyxy, look like percent of the frame? sizes: (N, 2), height and width of its video.

    None of them reaches beyond 100, and some come near it, in films that are much larger.
    """
    return bool(len(boxes)) and float(boxes.max()) <= 100 and float(boxes.max()) > 50 and float(sizes.min()) > 200
