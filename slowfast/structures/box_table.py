"""BoxTable: boxes on key frames as columns of numpy arrays. Annotations, detections and the evaluator speak it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

NO_LABEL = -1
_VIDEO_SHIFT = 32  # bits of a code below the number of the video
_HALF = 1 << 31


def key_frame_codes(video: np.ndarray, timestamp: np.ndarray) -> np.ndarray:
    """(n,) int video numbers and (n,) int32 timestamps -> (n,) int64, one number for each (video, timestamp).

    Codes are equal where both are, and sort by video, then timestamp; numbers and timestamps may be negative.
    """
    return (video.astype(np.int64) << _VIDEO_SHIFT) + timestamp


def split_codes(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) int64 of `key_frame_codes` -> (n,) int64 video numbers and (n,) int64 timestamps."""
    video = (codes + _HALF) >> _VIDEO_SHIFT  # a negative timestamp has borrowed from the bits of its video
    return video, codes - (video << _VIDEO_SHIFT)


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
    timestamp: (R,) int32, the key frame: whole seconds in AVA, 1-based frame numbers in frame-annotated sets
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

    def on(self, key_frames: ListsKeyFrames | Iterable[tuple[str, int]]) -> "BoxTable":
        """The rows on the given key frames: a table of them, or (video name, timestamp) pairs. `videos` stays."""
        number = {name: i for i, name in enumerate(self.videos)}
        if isinstance(key_frames, ListsKeyFrames):
            # -1, for a video that this table does not know, is the number of no row.
            own = np.array([number.get(name, -1) for name in key_frames.videos], dtype=np.int64)
            wanted = key_frame_codes(own[key_frames.video], key_frames.timestamp)
        else:
            pairs = [(number[video], timestamp) for video, timestamp in key_frames if video in number]
            wanted = key_frame_codes(*np.array(pairs, dtype=np.int64).reshape(-1, 2).T)
        return self.rows(np.isin(self.key_frame, wanted))

    def rows(self, keep: np.ndarray) -> "BoxTable":
        """The table with the rows that `keep` (mask or indices) selects; `videos` stays as it is."""
        score = None if self.score is None else self.score[keep]
        return BoxTable(self.videos, self.video[keep], self.timestamp[keep], self.boxes[keep], self.label[keep], score)
