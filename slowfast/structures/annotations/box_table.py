"""BoxTable: boxes on key frames as columns of numpy arrays. Annotations, detections and the evaluator speak it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

NO_LABEL = -1
TICKS = 1000  # in a second: what times are equal to
_VIDEO_SHIFT = 42  # bits of a code below the number of the video: 2 ** 31 seconds in ticks, and a sign
_HALF = 1 << (_VIDEO_SHIFT - 1)


def exact_times(times: np.ndarray) -> np.ndarray:
    """(n,) numbers -> (n,) timestamps in the form in which they compare exactly.

    int32 where all are whole, as in AVA's files; else float64, each the number nearest to whole thousandths, so that
    3.5 is 3.500, and 1 / 3 is 0.333.
    """
    times = np.asarray(times)
    if times.dtype.kind in "iu":
        return times.astype(np.int32, copy=False)
    ticks = np.rint(times * TICKS)
    if (ticks % TICKS == 0).all():
        return (ticks / TICKS).astype(np.int32)
    exact: np.ndarray = ticks / TICKS
    return exact


def plain_time(time: float) -> float:
    """One timestamp in that form: an int where it is whole, so that keys of dicts and sets compare exactly, too."""
    ticks = round(time * TICKS)
    return ticks // TICKS if ticks % TICKS == 0 else ticks / TICKS


def time_text(time: float) -> str:
    """A timestamp as files have it: 0902, or 0003.500."""
    time = plain_time(time)
    return f"{time:04d}" if isinstance(time, int) else f"{time:08.3f}"


def key_frame_codes(video: np.ndarray, timestamp: np.ndarray) -> np.ndarray:
    """(n,) int video numbers and (n,) timestamps, see `exact_times` -> (n,) int64, one number for each key frame.

    Codes are equal where both are, and sort by video, then timestamp; numbers and timestamps may be negative.
    """
    whole = timestamp.dtype.kind in "iu"
    ticks = timestamp.astype(np.int64) * TICKS if whole else np.rint(timestamp * TICKS).astype(np.int64)
    codes: np.ndarray = (video.astype(np.int64) << _VIDEO_SHIFT) + ticks
    return codes


def split_codes(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) int64 of `key_frame_codes` -> (n,) int64 video numbers and (n,) timestamps, int64 where all are whole."""
    video = (codes + _HALF) >> _VIDEO_SHIFT  # a negative timestamp has borrowed from the bits of its video
    ticks = codes - (video << _VIDEO_SHIFT)
    return video, ticks // TICKS if (ticks % TICKS == 0).all() else ticks / TICKS


def codes_of_pairs(pairs: Sequence[tuple[int, float]]) -> np.ndarray:
    """(video number, timestamp) pairs -> (n,) int64 `key_frame_codes`."""
    columns = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return key_frame_codes(columns[:, 0].astype(np.int64), columns[:, 1])


@runtime_checkable
class ListsKeyFrames(Protocol):
    """A table of key frames: `video` (K,) indexes `videos`, `timestamp` is (K,). BoxTable and KeyFrames are such."""

    @property
    def videos(self) -> tuple[str, ...]: ...

    @property
    def video(self) -> np.ndarray: ...

    @property
    def timestamp(self) -> np.ndarray: ...


@dataclass(frozen=True)
class BoxTable:
    """R rows; one row is one box with one action on one key frame (the rows of an AVA CSV).

    A row whose label is NO_LABEL and whose box is NaN only lists its key frame: nobody is annotated there. NO_LABEL with
    a box is a person without an action, which is background.

    videos:    the distinct video names
    video:     (R,) int32, index into `videos`
    timestamp: (R,), the key frame: whole seconds (int32) in AVA, 1-based frame numbers in frame-annotated sets; seconds
               with a fraction are float64, see `exact_times`
    boxes:     (R, 4) float, xyxy in [0, 1] of the original frame
    label:     (R,) int32, action id as the label map writes it (ids start at 1 and may have gaps), or NO_LABEL
    score:     (R,) float, confidence; None in ground truth
    """

    videos: tuple[str, ...]
    video: np.ndarray
    timestamp: np.ndarray
    boxes: np.ndarray
    label: np.ndarray
    score: np.ndarray | None = None

    def __post_init__(self) -> None:
        rows = len(self.video)
        shapes = {"timestamp": (rows,), "boxes": (rows, 4), "label": (rows,)}
        if self.score is not None:
            shapes["score"] = (rows,)
        for name, expected in shapes.items():
            found = getattr(self, name).shape
            if found != expected:
                raise ValueError(
                    f"BoxTable.{name} has shape {found}, expected {expected} to match {rows} rows of `video`"
                )

    def __len__(self) -> int:
        return len(self.video)

    @property
    def scores(self) -> np.ndarray:
        """(R,) `score` of a table that has them; ValueError for one that has none."""
        if self.score is None:
            raise ValueError("the detections have no scores; is this a ground-truth table?")
        return self.score

    @property
    def key_frame(self) -> np.ndarray:
        """(R,) int64 `key_frame_codes`: rows of one key frame have one number, and numbers sort as key frames do."""
        return key_frame_codes(self.video, self.timestamp)

    def on(self, key_frames: ListsKeyFrames | Iterable[tuple[str, float]]) -> "BoxTable":
        """The rows on the given key frames: a table of them, or (video name, timestamp) pairs. `videos` stays."""
        number = {name: i for i, name in enumerate(self.videos)}
        if isinstance(key_frames, ListsKeyFrames):
            # -1, for a video that this table does not know, is the number of no row.
            own = np.array([number.get(name, -1) for name in key_frames.videos], dtype=np.int64)
            wanted = key_frame_codes(own[key_frames.video], key_frames.timestamp)
        else:
            pairs = [(number[video], timestamp) for video, timestamp in key_frames if video in number]
            wanted = codes_of_pairs(pairs)
        return self.rows(np.isin(self.key_frame, wanted))

    def rows(self, keep: np.ndarray) -> "BoxTable":
        """The table with the rows that `keep` (mask or indices) selects; `videos` stays as it is."""
        score = None if self.score is None else self.score[keep]
        return BoxTable(self.videos, self.video[keep], self.timestamp[keep], self.boxes[keep], self.label[keep], score)
