"""Which frames of a whole video a clip shows. Numpy only; positions count the frames from 0.

The rules are PySlowFast's (slowfast/datasets/decoder.py, ssv2.py, charades.py) and mmaction2's (SampleFrames and
UniformSample of mmaction/datasets/transforms/loading.py), to the frame. What each does is in docs/EVALUATION.md.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from slowfast.datasets.augment.draws import Draws
from slowfast.video.source import VideoLength, VideoSource

Kind = Literal["time", "segments", "image", "frames"]
KINDS = ("time", "segments", "image", "frames")
Rule = Literal["pyslowfast", "mmaction2"]
RULES = ("pyslowfast", "mmaction2")

_END_TOLERANCE_SECONDS = 1e-4  # torchvision's reader lets a clip end this much later
_ROUNDED_SECONDS = 6e-4  # timestamps in milliseconds are half of one away from where they should be
_STEADY = 0.5  # of a frame: how far the frames of a constant rate may be from where the rate puts them


@dataclass(frozen=True)
class ClipSampling:
    """T frames of a video, in training at a random place and in a test at fixed ones.

    num_frames:    T
    sampling_rate: frames from one to the next, of a video of `target_fps` ("time") or of the video itself ("frames",
                   and "time" by mmaction2's rule); "segments" and "image" do not use it
    target_fps:    a "time" clip spans T * sampling_rate / target_fps seconds, whatever the rate of its video
    kind:          "time": files; "segments": one frame of each of T equal parts (SSv2); "image": one frame;
                   "frames": folders of extracted frames (Charades)
    rule:          whose test clips; training is always PySlowFast's
    use_offset:    PySlowFast's "time" clips of a test start from the first frame to the last at which one fits, in whole
                   frames; otherwise at i / n of it, which never reaches the end
    """

    num_frames: int
    sampling_rate: int
    target_fps: float
    kind: Kind = "time"
    rule: Rule = "pyslowfast"
    use_offset: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"clips are sampled by {', '.join(KINDS)}, got {self.kind!r}")
        if self.rule not in RULES:
            raise ValueError(f"the rule must be one of {', '.join(RULES)}, got {self.rule!r} (TEST.VIEW_SAMPLING)")
        if self.num_frames < 1 or self.sampling_rate < 1 or not self.target_fps > 0:
            raise ValueError(
                f"a clip has 1 frame or more, 1 or more apart, at a positive rate; got {self.num_frames} "
                f"(DATA.NUM_FRAMES), {self.sampling_rate} (DATA.SAMPLING_RATE), {self.target_fps} (DATA.TARGET_FPS)"
            )
        if self.kind == "image" and self.num_frames != 1:
            raise ValueError(f"an image is one frame, and a clip has {self.num_frames}; set DATA.NUM_FRAMES 1")

    def check_clips(self, num_clips: int) -> None:
        """Raises ValueError for several clips of "segments" or "image", where a video has one, and for none."""
        if num_clips > 1 and self.kind in ("segments", "image"):
            what = "of the whole video" if self.kind == "segments" else "of an image"
            raise ValueError(
                f"a clip {what} is one clip, got {num_clips}; set TEST.NUM_ENSEMBLE_VIEWS 1 and "
                "TEST.NUM_TEMPORAL_CLIPS []"
            )
        if num_clips < 1:
            raise ValueError(f"a test has 1 clip or more, got {num_clips} (TEST.NUM_ENSEMBLE_VIEWS)")

    def train(self, length: VideoLength, draws: Draws, *, target_fps: float | None = None) -> tuple[np.ndarray, int]:
        """(T,) int64 positions of a random clip, and how many of them repeat the first or last frame.

        target_fps: of this clip, where DATA.TRAIN_JITTER_FPS changes it
        """
        match self.kind:
            case "time":
                fps = target_fps or self.target_fps
                clip = ClipSpan.of(length, self.num_frames, self.sampling_rate, fps)
                raw, inside = clip.positions(length, draws.uniform(0, clip.room), self.num_frames)
            case "segments":
                raw = inside = segment_positions(len(length), self.num_frames, draws)
            case "frames":
                raw = spaced_from(draws, len(length), self.num_frames, self.sampling_rate)
                inside = raw.clip(0, len(length) - 1)
            case "image":
                raw = inside = np.zeros(1, dtype=np.int64)
        return inside, int(_beyond(raw, length))

    def test(self, length: VideoLength, num_clips: int) -> tuple[np.ndarray, np.ndarray]:
        """(clips, T) int64 positions, and (clips,) how many of each repeat frames because the video is too short.

        Raises ValueError as `check_clips`.
        """
        self.check_clips(num_clips)
        frames, last = len(length), len(length) - 1
        match self.kind, self.rule:
            case "time", "pyslowfast":
                clip = ClipSpan.of(length, self.num_frames, self.sampling_rate, self.target_fps)
                starts = clip.starts(num_clips, use_offset=self.use_offset)
                both = [clip.positions(length, start, self.num_frames) for start in starts]
                raw, inside = np.stack([pair[0] for pair in both]), np.stack([pair[1] for pair in both])
            case (("time" | "frames"), "mmaction2"):
                raw = mmaction2_positions(frames, self.num_frames, self.sampling_rate, num_clips)
                inside = raw % frames
            case "frames", _:
                raw = spaced_positions(frames, self.num_frames, self.sampling_rate, num_clips)
                inside = raw.clip(0, last)
            case "segments", rule:
                middle = segment_middles if rule == "pyslowfast" else mmaction2_segment_middles
                raw = inside = middle(frames, self.num_frames)[None]
            case _:
                raw = inside = np.zeros((1, 1), dtype=np.int64)
        return inside, _beyond(raw, length)


def _beyond(raw: np.ndarray, length: VideoLength) -> np.ndarray:
    """How many of the last axis are outside the video."""
    return ((raw < 0) | (raw >= len(length))).sum(axis=-1)


# ------------------------------------------------------------------------------------------------------------ by time


@dataclass(frozen=True)
class ClipSpan:
    """PySlowFast's clip of T * rate / target_fps seconds, in frames of its video, which are fractions.

    size:   of the clip
    frames: of the video: their number, or where its rate varies its duration times its mean rate
    whole:  the video is so short that PySlowFast decodes all of it, and a start is not rounded up to a frame
    """

    size: float
    frames: float
    whole: bool

    @classmethod
    def of(cls, length: VideoLength, num_frames: int, sampling_rate: int, target_fps: float) -> "ClipSpan":
        size = max(1.0, sampling_rate * num_frames / target_fps * length.fps)
        frames = float(len(length)) if is_steady(length) else float(length.times[-1] * length.fps + 1)
        return cls(size, frames, frames <= num_frames * sampling_rate)

    @property
    def room(self) -> float:
        """The last start, in frames: starts are drawn from 0 to it."""
        return max(self.frames - self.size, 0.0)

    def starts(self, count: int, *, use_offset: bool) -> list[float]:
        """Where the clips of a test start."""
        if not use_offset:
            return [self.room * i / count for i in range(count)]
        if count == 1:
            return [float(math.floor(self.room / 2))]
        return [float(i * math.floor(self.room / (count - 1))) for i in range(count)]

    def positions(self, length: VideoLength, start: float, num_frames: int) -> tuple[np.ndarray, np.ndarray]:
        """(T,) positions as asked for and as they are inside the video, of a clip that starts at frame `start`.

        The frames that are shown from the start to the end of the clip are counted, and T of them taken at equal
        distances, rounded down. Where the rate of the video varies, it is the frames that are on screen at these times.
        """
        steps = np.linspace(0, self.size - 1, num_frames)
        last = len(length) - 1
        if not is_steady(length):
            asked = (start + steps) / length.fps + min(length.tick / 2, _ROUNDED_SECONDS)
            shown = np.searchsorted(length.times, asked, side="right") - 1
            over = asked >= length.times[-1] + 1 / length.fps
            return np.where(over, last + 1, shown), shown
        if self.whole:
            raw = np.linspace(start, start + self.size - 1, num_frames).astype(np.int64)
            return raw, raw.clip(0, last)
        first, end = frames_within(length, start, start + self.size - 1)
        raw = first + steps.astype(np.int64)
        return raw, raw.clip(0, max(end - 1, first))


def is_steady(length: VideoLength) -> bool:
    """Every frame is where a constant rate puts it, to half a frame."""
    return bool((np.abs(length.times * length.fps - np.arange(len(length))) < _STEADY).all())


def frames_within(length: VideoLength, start: float, end: float) -> tuple[int, int]:
    """[first, stop) positions of the frames that are shown between two moments, given in frames of the mean rate.

    Both moments are rounded down to the file's unit of time, as its timestamps are. Where no frame starts between them,
    it is the one that is on.
    """
    ticks = np.round(length.times / length.tick)
    low, high = (math.floor(moment / length.fps / length.tick + 1e-6) for moment in (start, end))
    first = int(np.searchsorted(ticks, low, side="left"))
    stop = int(np.searchsorted(ticks, high + _END_TOLERANCE_SECONDS / length.tick, side="right"))
    return (first, stop) if stop > first else (max(first - 1, 0), max(first, 1))


def train_positions(
    length: VideoLength, *, num_frames: int, sampling_rate: int, target_fps: float, draws: Draws
) -> np.ndarray:
    """(T,) int64 positions of a random clip of T * rate / target_fps seconds; a video that is too short repeats its last."""
    return ClipSampling(num_frames, sampling_rate, target_fps).train(length, draws)[0]


def mmaction2_positions(frames: int, num_frames: int, sampling_rate: int, num_clips: int) -> np.ndarray:
    """(clips, T) positions, a rate apart; those from `frames` on are meant modulo `frames`."""
    room = max(frames - (num_frames - 1) * sampling_rate - 1, 0)
    if num_clips == 1:
        starts = np.array([room // 2])
    else:
        starts = np.round(np.arange(num_clips) * (room / (num_clips - 1))).astype(np.int64)
    return starts[:, None] + sampling_rate * np.arange(num_frames)


# ----------------------------------------------------------------------------------------- by segments, and by frames


def _segment_bounds(frames: int, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    """First and last positions of `count` equal parts, which share their ends, and the length of a part."""
    size = float(frames - 1) / count
    bounds = np.round(size * np.arange(count + 1)).astype(np.int64)
    return bounds[:-1], bounds[1:], size


def segment_positions(frames: int, count: int, draws: Draws) -> np.ndarray:
    """(T,) a random frame of each of T parts, both ends included."""
    low, high, _ = _segment_bounds(frames, count)
    return np.array([draws.randint(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True)], dtype=np.int64)


def segment_middles(frames: int, count: int) -> np.ndarray:
    """(T,) PySlowFast's test: the middle of each part."""
    low, high, _ = _segment_bounds(frames, count)
    return (low + high) // 2


def mmaction2_segment_middles(frames: int, count: int) -> np.ndarray:
    """(T,) mmaction2's test: half a part, rounded down, after the start of each."""
    low, _, size = _segment_bounds(frames, count)
    return low + int(size / 2)


def _span(num_frames: int, sampling_rate: int) -> int:
    return (num_frames - 1) * sampling_rate + 1


def spaced_from(draws: Draws, frames: int, num_frames: int, sampling_rate: int) -> np.ndarray:
    """(T,) Charades' training clip, a rate apart at a random place. One that is longer than its video lies around it:
    what is outside, on either side, repeats the first or last frame."""
    room = frames - _span(num_frames, sampling_rate)
    start = draws.randint(min(room, 0), max(room, 0))
    return start + sampling_rate * np.arange(num_frames)


def spaced_positions(frames: int, num_frames: int, sampling_rate: int, num_clips: int) -> np.ndarray:
    """(clips, T) Charades' test clips: rounded starts from the first to the last at which one fits, one in the middle."""
    room = max(frames - _span(num_frames, sampling_rate), 0)
    starts = np.linspace(0, room, num_clips) if num_clips > 1 else np.array([room / 2])
    return starts.round().astype(np.int64)[:, None] + sampling_rate * np.arange(num_frames)


# ------------------------------------------------------------------------------------------------------------- pixels


def read_clips(
    pixels: VideoSource, video: str, positions: np.ndarray, *, short_side: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The frames at `positions`, each read once: (K, H, W, 3) uint8 RGB, and which of them is at each position, of the
    same shape as `positions`.

    short_side: as VideoSource.read_positions. Raises ClipReadError
    """
    used, place = np.unique(positions, return_inverse=True)
    return pixels.read_positions(video, used, short_side=short_side), place.reshape(np.shape(positions))
