"""LabelledVideos: a list of videos and what each of them shows. Numpy only."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FrameLabels:
    """What is shown when: V videos as runs of frames with the same labels, R runs in all. Millions of frames fit.

    offsets: (V + 1,) int64; the runs of video v are offsets[v] to offsets[v + 1]
    starts:  (R,) int32 position, from 0, of the first frame of a run; ascending within a video, from 0
    sets:    (R,) int32 row of `table`
    table:   (S, C) bool, the sets of labels that occur
    """

    offsets: np.ndarray
    starts: np.ndarray
    sets: np.ndarray
    table: np.ndarray

    def between(self, index: int, first: int, last: int) -> np.ndarray:
        """(C,) bool: all that any frame of video `index` shows from position `first` to `last`, both included.

        Positions beyond the video mean its first or last frame.
        """
        runs = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        starts = self.starts[runs]
        begin = max(int(np.searchsorted(starts, first, side="right")) - 1, 0)
        end = max(int(np.searchsorted(starts, last, side="right")), 1)
        shown: np.ndarray = self.table[self.sets[runs][begin:end]].any(axis=0)
        return shown


@dataclass(frozen=True)
class LabelledVideos:
    """V videos, C classes.

    names:       as their list gives them, each once; a path below the folder of the videos
    labels:      (V,) int64 class index, or (V, C) bool where a video may have many
    class_names: in index order
    frames:      what each frame shows, where the list tells and a clip is to have the labels of its own frames
    """

    names: tuple[str, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]
    frames: FrameLabels | None = None

    @property
    def multi_label(self) -> bool:
        return self.labels.ndim == 2

    def label_of(self, index: int, positions: np.ndarray | None = None) -> np.ndarray:
        """The label of video `index`, () int64 or (C,) bool.

        positions: of the frames that are shown of it, from 0. Where `frames` is known the label is what any frame from
        the first to the last of them shows, those in between that the clip skips included (PySlowFast's charades.py).
        """
        if self.frames is None or positions is None:
            return self.labels[index]
        return self.frames.between(index, int(positions.min()), int(positions.max()))
