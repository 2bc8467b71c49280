"""Scores of whole videos from several views, and what they are worth: accuracies, or mAP of many labels.

A view is one crop of one clip; view v of a video is spatial crop v % crops of temporal clip v // crops. The views of a
video become one row of scores:

    probabilities      mean of softmax (one label) or sigmoid (many labels): PySlowFast's "sum" up to a factor
    logits             mean of the raw outputs
    max_probabilities  highest probability over the views: PySlowFast's "max", used for Charades
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from slowfast.evaluation.videos.scores import VideoScores
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.structures.clip import ViewMeta

ENSEMBLES = ("probabilities", "logits", "max_probabilities")
SHOWN = 5


class ClassificationEvaluator:
    """Collects the views of a run, on any number of ranks, and averages them once at the end.

    num_views: views that each video should have
    The result depends on the views alone, not on their order nor on the rank that processed them.
    """

    def __init__(self, videos: LabelledVideos, *, num_views: int, ensemble: str = "probabilities") -> None:
        if ensemble not in ENSEMBLES:
            raise ValueError(f"ensemble must be one of {', '.join(ENSEMBLES)}, got {ensemble!r}")
        self.videos, self.num_views, self.ensemble = videos, num_views, ensemble
        self._number = {name: number for number, name in enumerate(videos.names)}
        self._pieces: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def process(self, outputs: Tensor, metas: Sequence[ViewMeta]) -> None:
        """Keep the raw outputs of a batch, (B, C) on the CPU; metas[i] says which view of which video row i is of."""
        classes, logits = len(self.videos.class_names), outputs.detach().float().numpy().copy()
        if logits.shape != (len(metas), classes):
            raise ValueError(
                f"outputs have shape {logits.shape}, expected ({len(metas)}, {classes}): a column per class"
            )
        video = np.array([self._number[meta.video] for meta in metas], dtype=np.int64)
        view = np.array([meta.view for meta in metas], dtype=np.int64)
        if not np.isfinite(logits).all():
            bad = int(np.flatnonzero(~np.isfinite(logits).all(axis=1))[0])
            raise ValueError(
                f"view {view[bad]} of video {self.videos.names[video[bad]]!r} has an output that is not finite"
            )
        outside = (view < 0) | (view >= self.num_views)
        if outside.any():
            raise ValueError(f"views are numbered 0 to {self.num_views - 1}, got {int(view[outside][0])}")
        self._pieces.append((video, view, logits))

    def evaluate(self, gather: Callable[[Any], list[Any]] | None = None) -> VideoScores:
        """What all ranks processed. `gather` as in DetectionEvaluator.evaluate.

        Raises ValueError when nothing was processed, or a view was processed twice.
        """
        pieces = self._pieces if gather is None else [piece for share in gather(self._pieces) for piece in share]
        if not pieces:
            raise ValueError("no view of any video was processed: there is nothing to evaluate")
        video, view, logits = (np.concatenate(column) for column in zip(*pieces, strict=True))
        order = np.lexsort((view, video))
        video, view, logits = video[order], view[order], logits[order].astype(np.float64)
        self._refuse_repeats(video, view)
        values = logits if self.ensemble == "logits" else probabilities_of(logits, self.videos.multi_label)
        count = np.bincount(video, minlength=len(self.videos.names))
        scores = np.full((len(count), logits.shape[1]), np.nan)
        starts = np.flatnonzero(np.diff(video, prepend=-1))
        pooled = (np.maximum if self.ensemble == "max_probabilities" else np.add).reduceat(values, starts, axis=0)
        seen = video[starts]
        scores[seen] = pooled if self.ensemble == "max_probabilities" else pooled / count[seen, None]
        return VideoScores(
            names=self.videos.names,
            class_names=self.videos.class_names,
            labels=self.videos.labels,
            scores=scores.astype(np.float32),
            views=count,
            num_views=self.num_views,
            ensemble=self.ensemble,
        )

    def _refuse_repeats(self, video: np.ndarray, view: np.ndarray) -> None:
        again = np.flatnonzero((np.diff(video) == 0) & (np.diff(view) == 0))
        if len(again):
            named: Sequence[str] = [f"view {view[i]} of {self.videos.names[video[i]]!r}" for i in again[:SHOWN]]
            raise ValueError(
                f"{len(again)} views were processed more than once, among them {', '.join(named)}; a sampler for "
                "evaluation must not pad or repeat"
            )


def probabilities_of(logits: np.ndarray, multi_label: bool) -> np.ndarray:
    """(V, C) float64 raw outputs -> probabilities: a sigmoid each with many labels, else a softmax of the row."""
    if multi_label:
        return 1 / (1 + np.exp(-np.clip(logits, -700, 700)))
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def ensemble_of(logits: np.ndarray, ensemble: str, *, multi_label: bool) -> np.ndarray:
    """(V, C) float64 raw outputs of the views of one video -> its (C,) scores. ensemble: see the top"""
    values = logits if ensemble == "logits" else probabilities_of(logits, multi_label)
    scores: np.ndarray = values.max(axis=0) if ensemble == "max_probabilities" else values.mean(axis=0)
    return scores
