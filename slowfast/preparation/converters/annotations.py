"""The neutral structure in the middle of all conversions: who does what, where, at which second of which video.

Time is the key, never a frame counter: tools number frames one after the other, and a video's own times need not be
evenly spaced. `VideoTimes` is the only place that turns one into the other, by the timestamps in the file.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from slowfast.preparation.called_alike import FilesBelow
from slowfast.preparation.converters.attributes import Attribute
from slowfast.structures.annotations.box_table import plain_time
from slowfast.video.decoding.open_video import OpenVideo, named_errors
from slowfast.video.reader import VIDEO_EXTENSIONS, VideoFiles
from slowfast.video.source import ClipReadError

Box = tuple[float, float, float, float]
_SLIVER = 0.01  # of the frame
_SAME_SHAPE = 0.03  # how much the ratios of sides may differ: codecs round sides to 16 pixels
_ROUNDED = 0.5  # seconds that a tool's time may be outside its video
_FAR = 0.05  # of the frame: how far a box of somebody at its edge may reach beyond


@dataclass(frozen=True)
class Label:
    """One actor at one moment.

    video:   its name, without folders' separators of other systems
    time:    seconds since the start of the video, as a player counts them
    box:     xyxy in [0, 1] of the frame as it is shown
    actions: names of classes; none for an actor of the background
    track:   what names the same actor at other moments; "" where nothing does
    score:   of a prediction; None for what a person annotated
    """

    video: str
    time: float
    box: Box
    actions: tuple[str, ...] = ()
    track: str = ""
    score: float | None = None


@dataclass(frozen=True)
class Annotations:
    """labels: by video, time, track, box; classes: names, in the order of their ids; empty: (video, time) of key frames
    that were looked at and show nobody; notes: what was left out, for the reader of the result; remarks: what may be
    wrong; attributes: what the boxes of a labelling tool say, and whether it is actions."""

    labels: tuple[Label, ...]
    classes: tuple[str, ...]
    empty: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()

    @property
    def videos(self) -> tuple[str, ...]:
        return tuple(sorted({label.video for label in self.labels} | {video for video, _ in self.empty}))

    def of_videos(self, names: Iterable[str]) -> "Annotations":
        """Those of some videos; the classes stay."""
        kept = set(names)
        return replace(
            self,
            labels=tuple(label for label in self.labels if label.video in kept),
            empty=tuple(key for key in self.empty if key[0] in kept),
        )


def annotations_of(
    labels: Iterable[Label], classes: Sequence[str] = (), empty: Iterable[tuple[str, float]] = ()
) -> Annotations:
    """Sort labels, and name the classes that occur after those given; times to the thousandth, boxes clipped to [0, 1]. A
    remark says how many reached far beyond it.

    Raises ValueError for a box without area.
    """
    kept: list[Label] = []
    far: list[tuple[float, str]] = []
    for label in labels:
        x1, y1, x2, y2 = (min(max(float(value), 0.0), 1.0) for value in label.box)
        shown = ", ".join(f"{value:.4g}" for value in label.box)
        if not (x2 > x1 and y2 > y1):  # or one is not a number
            outside = label.box[2] > label.box[0] and label.box[3] > label.box[1]
            raise ValueError(
                f"video {label.video!r}, second {label.time:g}: box ({shown}), in fractions of the frame, "
                + (
                    "is outside it; is it in pixels of another size?"
                    if outside
                    else "is inverted, has no area or no number"
                )
            )
        beyond = max(*label.box, *(1 - value for value in label.box)) - 1
        if beyond > _FAR:
            far.append((beyond, f"box ({shown}) of video {label.video!r}, second {label.time:g}"))
        actions = tuple(dict.fromkeys(label.actions))  # two attributes may say the same
        kept.append(replace(label, time=plain_time(label.time), box=(x1, y1, x2, y2), actions=actions))
    kept.sort(key=lambda label: (label.video, label.time, label.track, label.box, label.actions))
    more = sorted({action for label in kept for action in label.actions} - set(classes))
    there = {(label.video, label.time) for label in kept}
    idle = sorted({(video, plain_time(time)) for video, time in empty} - there)
    remarks = []
    if far:
        remarks.append(
            f"{len(far)} of {len(kept)} boxes reach beyond the frame and were cut, furthest {max(far)[1]}, in fractions of the "
            "frame; are they pixels of another size, or corners in place of width and height?"
        )
    if kept and all(min(a.box[2] - a.box[0], a.box[3] - a.box[1]) < _SLIVER for a in kept):
        box = ", ".join(f"{value:.4g}" for value in kept[0].box)
        remarks.append(
            f"all {len(kept)} boxes are thinner than a hundredth of the frame, such as ({box}) of video {kept[0].video!r}; are "
            "they fractions where pixels are wanted?"
        )
    return Annotations(tuple(kept), (*classes, *more), tuple(idle), remarks=tuple(remarks))


@dataclass(frozen=True)
class Timing:
    """One video. times: (N,) float64 ascending, seconds at which each frame is first shown; size: (height, width)."""

    times: np.ndarray
    size: tuple[int, int]

    def frame_at(self, second: float) -> int:
        """The number, from 0, of the frame that is shown then: the last one that starts by then, or within half a
        millisecond after it (times in files are rounded)."""
        return max(int(np.searchsorted(self.times, second + 5e-4, side="right")) - 1, 0)

    def second_of(self, frame: int) -> float:
        """When the frame with this number, from 0, is shown. Raises IndexError for one that the video does not have."""
        if not 0 <= frame < len(self.times):
            raise IndexError(f"the video has frames 0 to {len(self.times) - 1}, and frame {frame} is asked for")
        return float(self.times[frame])

    @property
    def length(self) -> float:
        """Seconds to the end of the last frame, if that is shown as long as the others in the mean."""
        return float(self.times[-1]) + 1 / self.rate

    def of_another_shape(self, size: tuple[int, int]) -> str:
        """What to say where boxes are in pixels of a (height, width) that is no larger or smaller copy of the video's; ""."""
        if abs(size[0] * self.size[1] / (size[1] * self.size[0]) - 1) <= _SAME_SHAPE:
            return ""
        return f"{self.size[1]} x {self.size[0]} pixels, and boxes are of pictures of {size[1]} x {size[0]}, of another shape"

    def misses(self, second: float) -> bool:
        """Is this before the start or beyond the end, by more than tools round?"""
        return second < -_ROUNDED or second > self.length + _ROUNDED

    def moment(self, second: float) -> float:
        """When what a tool shows at `second` came on. Raises ValueError for a second that the video does not have."""
        if self.misses(second):
            raise ValueError(f"second {second:g} is not in the video, which lasts {self.length:.3f} s")
        return self.second_of(self.frame_at(second))

    @cached_property
    def rate(self) -> float:
        """Frames a second in the mean."""
        span = float(self.times[-1] - self.times[0])
        return (len(self.times) - 1) / span if span > 0 else 25.0

    @cached_property
    def steady_rate(self) -> float:
        """A rate at which a steady clock meets every frame: the mean where frames are evenly spaced, else that of the
        shortest one."""
        gaps = np.diff(self.times)
        if not len(gaps) or gaps.min() > 0.9 * gaps.mean():
            return self.rate
        return float(1 / gaps.min())


@dataclass
class VideoTimes:
    """The timing of named videos below a folder, each read once."""

    folder: Path
    _known: dict[str, Timing] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _files(self) -> FilesBelow:
        return FilesBelow(self.folder)

    def of(self, video: str) -> Timing:
        """Raises ClipReadError where the video is missing or cannot be read."""
        if video not in self._known:
            files = VideoFiles(self.folder, threads=1)
            try:
                path = files.path(video)
            except ClipReadError as error:
                raise ClipReadError(error.file, None, error.reason + self._files.hint(video)) from None
            length = files.length(video)
            with named_errors(path, None), OpenVideo(path, threads=1) as opened:
                first, frame = next(opened.frames())
                height, width = opened.rgb(frame).shape[:2]
            self._known[video] = Timing(length.times + first, (height, width))
        return self._known[video]

    def name(self, file: str) -> str:
        """What a tool calls a video (a path, a URL, a name) -> the name it has here: the longest end of the path that is
        a file below the folder, without its extension where that is enough."""
        if file not in self._names:
            local = file.partition("?d=")[2]  # Label Studio's address of a file on its own disk
            parts = (local or file.split("?")[0]).replace("\\", "/").split("/")
            ends = ("/".join(parts[start:]) for start in range(len(parts)))
            found = (self._found(end) for end in ends if end)
            self._names[file] = next((name for name in found if name), "") or _without_extension(parts[-1])
        return self._names[file]

    def _found(self, end: str) -> str:
        """The name of a file below the folder that is called so, with or without extension; "" where there is none."""
        files = VideoFiles(self.folder)
        called = [unicodedata.normalize(form, one) for one in (end, _without_extension(end)) for form in ("NFC", "NFD")]
        for spelled in dict.fromkeys((end, *called)):
            try:
                path = files.path(spelled)
                short = path.relative_to(self.folder).with_suffix("").as_posix()
                return short if self._is(short, path) else path.relative_to(self.folder).as_posix()
            except (ClipReadError, ValueError):  # no such file, several, or one outside the folder
                continue
        return ""

    def _is(self, name: str, path: Path) -> bool:
        """Does a name without extension mean this file, and no other one?"""
        try:
            return VideoFiles(self.folder).path(name) == path
        except ClipReadError:
            return False


def _without_extension(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    return stem if stem and f"{dot}{extension}".lower() in VIDEO_EXTENSIONS else name


def every(annotations: Annotations, seconds: float, videos: VideoTimes) -> Annotations:
    """Of labels on every frame, those on key frames `seconds` apart: the frames that are shown at 0, s, 2 s, ...

    Labels on other frames are left out; a moment at which no label lies is no key frame.
    """
    wanted: dict[str, set[float]] = {}
    for video in annotations.videos:
        timing = videos.of(video)
        moments = np.arange(0, timing.times[-1] + seconds / 2, seconds)
        wanted[video] = {plain_time(timing.second_of(timing.frame_at(float(moment)))) for moment in moments}
    return replace(
        annotations,
        labels=tuple(label for label in annotations.labels if label.time in wanted[label.video]),
        empty=tuple(key for key in annotations.empty if key[1] in wanted[key[0]]),
    )


def between(first: tuple[float, Box], second: tuple[float, Box], time: float) -> Box:
    """The box at `time` on the straight line between two boxes, each with its time."""
    share = (time - first[0]) / (second[0] - first[0])
    x1, y1, x2, y2 = ((1 - share) * a + share * b for a, b in zip(first[1], second[1], strict=True))
    return (x1, y1, x2, y2)


@dataclass(frozen=True)
class KeyBox:
    """A box that a person drew in a tool, on a line of boxes over time. visible: False: the actor is gone from here on."""

    time: float
    box: Box
    visible: bool = True
    actions: tuple[str, ...] = ()


def filled(video: str, track: str, keys: Sequence[KeyBox], timing: Timing) -> list[Label]:
    """The labels of a track on every frame from its first key box to its last, in straight lines through TIME.

    Actions are those of the key box before. After an invisible key box there is nothing until the next visible one.
    """
    labels = []
    keys = sorted(keys, key=lambda key: key.time)
    for number, key in enumerate(keys):
        if not key.visible:
            continue
        labels.append(Label(video, key.time, key.box, key.actions, track))
        if number + 1 == len(keys):
            continue
        following = keys[number + 1]
        inside = timing.times[(timing.times > key.time + 5e-4) & (timing.times < following.time - 5e-4)]
        for time in inside.tolist():
            box = between((key.time, key.box), (following.time, following.box), time)
            labels.append(Label(video, time, box, key.actions, track))
    return labels


def around(box: Box, degrees: float, *, pivot: tuple[float, float]) -> Box:
    """xyxy in pixels, turned clockwise about `pivot` -> the upright box around it."""
    if not degrees % 360:
        return box
    x1, y1, x2, y2 = box
    turn = np.deg2rad(degrees)
    corners = np.array([(x1, y1), (x2, y1), (x1, y2), (x2, y2)]) - pivot
    x = corners[:, 0] * np.cos(turn) - corners[:, 1] * np.sin(turn) + pivot[0]
    y = corners[:, 0] * np.sin(turn) + corners[:, 1] * np.cos(turn) + pivot[1]
    return (float(x.min()), float(y.min()), float(x.max()), float(y.max()))


def from_pixels(box: Sequence[float], size: tuple[int, int]) -> Box:
    """xyxy in pixels of a frame of (height, width) -> fractions."""
    height, width = size
    return (box[0] / width, box[1] / height, box[2] / width, box[3] / height)


def to_pixels(box: Box, size: tuple[int, int]) -> Box:
    height, width = size
    return (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
