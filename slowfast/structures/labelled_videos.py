"""LabelledVideos: a list of videos and what each of them shows. Numpy only."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LabelledVideos:
    """V videos, C classes.

    names:       as their list gives them, each once; a path below the folder of the videos
    labels:      (V,) int64 class index, or (V, C) bool where a video may have many
    class_names: in index order
    """

    names: tuple[str, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]

    @property
    def multi_label(self) -> bool:
        return self.labels.ndim == 2

    def label_of(self, index: int, positions: np.ndarray | None = None) -> np.ndarray:
        """The label of video `index`, () int64 or (C,) bool; `positions`: of the frames that are shown of it, from 0."""
        return self.labels[index]
