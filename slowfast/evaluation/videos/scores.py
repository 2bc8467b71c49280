"""VideoScores: one row of class scores per video, and the numbers they give. Numpy only; `score_files` keeps them.

Top-k: the true class is among the k best; of equal scores the class with the lower index comes first. Mean class
accuracy: the mean over classes of the share of their videos whose best class is right. Multi-label mAP (Charades): per
class the mean, over its videos, of the precision at each (of equal scores, the mean over all orders), then the mean over
the classes that have a video.
A video without any view counts as wrong and ranks last. Videos with some of their views are counted and named.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slowfast.evaluation.average_precision import mean_precision
from slowfast.evaluation.videos.confusion import (
    NOTHING,
    ClassRow,
    VideoConfusion,
    class_rows,
    confused_pairs,
    confusion_matrix,
)
from slowfast.structures.outputs.result import Headline

TOP = (1, 5)
SHOWN = 10
CONFUSED = 20  # pairs that a report holds, at most
NEVER = 1 << 30  # a place that no k reaches


@dataclass(frozen=True)
class VideoScores:
    """V videos, C classes.

    labels:    (V,) int class index, or (V, C) bool
    scores:    (V, C) float32, the views of a video taken together; nan for a video without views
    views:     (V,) int, how many views that were; num_views: how many it should have been
    ensemble:  how they were taken together, see `videos.evaluator`
    """

    names: tuple[str, ...]
    class_names: tuple[str, ...]
    labels: np.ndarray
    scores: np.ndarray
    views: np.ndarray
    num_views: int
    ensemble: str

    def __post_init__(self) -> None:
        videos, classes = len(self.names), len(self.class_names)
        if self.scores.shape != (videos, classes):
            raise ValueError(
                f"scores have shape {self.scores.shape}, expected ({videos}, {classes}): videos by classes"
            )
        if self.labels.shape not in ((videos,), (videos, classes)):
            raise ValueError(f"labels have shape {self.labels.shape}, expected ({videos},) or ({videos}, {classes})")
        if self.labels.ndim == 1 and videos and not 0 <= self.labels.min() <= self.labels.max() < classes:
            raise ValueError(f"class indices are 0 to {classes - 1}, got {self.labels.min()} to {self.labels.max()}")
        if self.views.shape != (videos,):
            raise ValueError(f"views have shape {self.views.shape}, expected ({videos},)")
        if videos == 0:
            raise ValueError("there is no video to score")
        broken = (self.views > 0) & ~np.isfinite(self.scores).all(axis=1)
        if broken.any():
            first = self.names[int(np.flatnonzero(broken)[0])]
            raise ValueError(f"{int(broken.sum())} videos with views have a score that is not finite, first {first!r}")

    @property
    def multi_label(self) -> bool:
        return self.labels.ndim == 2

    @property
    def partial(self) -> list[str]:
        """Names of the videos with some of their views only."""
        return [name for name, views in zip(self.names, self.views, strict=True) if 0 < views < self.num_views]

    @property
    def missing(self) -> list[str]:
        """Names of the videos without any view."""
        return [name for name, views in zip(self.names, self.views, strict=True) if views == 0]

    @property
    def headline(self) -> Headline:
        """The first number of the summary: top1, or mAP with many labels."""
        return Headline(*next(iter(self.summary().items())))

    def summary(self) -> dict[str, float]:
        """{"top1", "top5", "mean_class_accuracy"} or {"mAP"}, fractions; no top5 of five classes or fewer: it is 1."""
        if self.multi_label:
            return {"mAP": float(np.nanmean(self.class_values()))}
        rank = self._rank_of_truth()
        values = {f"top{k}": float((rank <= k).mean()) for k in TOP if k == 1 or k < len(self.class_names)}
        return values | {"mean_class_accuracy": float(np.nanmean(self.class_values()))}

    def class_values(self) -> np.ndarray:
        """(C,) accuracy of each class, or AP with many labels; nan for a class without videos."""
        if self.multi_label:
            if not self.labels.any():
                raise ValueError("no video has any label: there is no mAP")
            return np.array([mean_precision(s, p) for s, p in zip(self._ranking().T, self.labels.T, strict=True)])
        return np.array([row.value for row in self.classes])

    @property
    def predicted(self) -> np.ndarray:
        """(V,) int64 best class, of equal scores the one with the lower index; NOTHING (-1) for a video without views."""
        return np.where(self.views > 0, self._ranking().argmax(axis=1), NOTHING)

    @cached_property
    def confusion(self) -> VideoConfusion:
        """Raises ValueError with many labels: there a video is not taken for one class."""
        if self.multi_label:
            raise ValueError("videos with many labels have no confusion matrix")
        return confusion_matrix(self.labels, self.predicted, self.class_names)

    @cached_property
    def classes(self) -> list[ClassRow]:
        """A row per class, in index order."""
        if not self.multi_label:
            return class_rows(self.confusion)
        videos, values = self.labels.sum(axis=0), self.class_values()
        return [ClassRow(k, n, int(videos[k]), float(values[k])) for k, n in enumerate(self.class_names)]

    def confused(self, most: int = CONFUSED) -> list[dict[str, str | int | float]]:
        """The pairs of classes most often confused: {"true", "predicted", "count", "share"}, see `confusion`."""
        return [
            {
                "true": self.class_names[pair.true],
                "predicted": self.class_names[pair.predicted],
                "count": pair.count,
                "share": pair.share,
            }
            for pair in confused_pairs(self.confusion, most=most)
        ]

    def _ranking(self) -> np.ndarray:
        return np.where(np.isnan(self.scores), -np.inf, self.scores)

    def _rank_of_truth(self) -> np.ndarray:
        """(V,) place of the true class, from 1; out of reach for a video without views."""
        rows = np.arange(len(self.labels))
        own = self.scores[rows, self.labels][:, None]
        before = np.arange(len(self.class_names)) < self.labels[:, None]
        rank = 1 + (self.scores > own).sum(axis=1) + ((self.scores == own) & before).sum(axis=1)
        return np.where(self.views == 0, NEVER, rank)

    def report(self) -> dict:
        """All there is to know, ready for JSON."""
        per_class = zip(self.class_names, self.class_values(), strict=True)
        return {
            **self.summary(),
            "ensemble": self.ensemble,
            "views_per_video": self.num_views,
            "num_videos": len(self.names),
            "num_classes": len(self.class_names),
            "videos_with_some_views": self.partial,
            "videos_without_views": self.missing,
            **({} if self.multi_label else {"confused_pairs": self.confused()}),
            "AP" if self.multi_label else "accuracy": {n: float(v) if np.isfinite(v) else None for n, v in per_class},
        }

    def table(self) -> str:
        """The numbers with what they were measured on, and warnings."""
        values = ", ".join(f"{name} {value:.4f}" for name, value in self.summary().items())
        videos = f"{len(self.names)} videos, {len(self.class_names)} classes"
        lines = [f"{values} | {videos} | {self.num_views} views, {self.ensemble}"]
        return "\n".join([*lines, *(f"warning: {text}" for text in self.warnings)])

    @property
    def warnings(self) -> list[str]:
        """What a reader of the numbers must know: videos that lack views, counted and named."""
        return [
            f"{len(names)} videos have {what}: {', '.join(names[:SHOWN])}"
            + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
            for names, what in (
                (self.partial, "only some of their views"),
                (self.missing, "no view at all and count as wrong"),
            )
            if names
        ]
