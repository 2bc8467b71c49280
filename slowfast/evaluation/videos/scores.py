"""VideoScores: one row of class scores per video, the numbers they give, and the file that keeps them. Numpy only.

Top-k: the true class is among the k best; of equal scores the class with the lower index comes first. Mean class
accuracy: the mean over classes of the share of their videos whose best class is right. Multi-label mAP (Charades): per
class the mean, over its videos, of the precision at each (of equal scores, the mean over all orders), then the mean over
the classes that have a video.
A video without any view counts as wrong and ranks last. Videos with some of their views are counted and named.
"""

from dataclasses import dataclass
from pathlib import Path
from zipfile import is_zipfile

import numpy as np

from slowfast.evaluation.average_precision import mean_precision
from slowfast.structures.result import Headline
from slowfast.utils.files import open_whole

TOP = (1, 5)
FORMAT = "slowfast video scores 1"
SHOWN = 10
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
        """{"top1", "top5", "mean_class_accuracy"} or {"mAP"}, fractions."""
        if self.multi_label:
            return {"mAP": float(np.nanmean(self.class_values()))}
        rank = self._rank_of_truth()
        values = {f"top{k}": float((rank <= k).mean()) for k in TOP}
        return values | {"mean_class_accuracy": float(np.nanmean(self.class_values()))}

    def class_values(self) -> np.ndarray:
        """(C,) accuracy of each class, or AP with many labels; nan for a class without videos."""
        if self.multi_label:
            if not self.labels.any():
                raise ValueError("no video has any label: there is no mAP")
            return np.array([mean_precision(s, p) for s, p in zip(self._ranking().T, self.labels.T, strict=True)])
        classes = len(self.class_names)
        right = np.bincount(self.labels[self._rank_of_truth() == 1], minlength=classes)
        total = np.bincount(self.labels, minlength=classes)
        return np.divide(right, total, out=np.full(classes, np.nan), where=total > 0)

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
            "AP" if self.multi_label else "accuracy": {n: float(v) if np.isfinite(v) else None for n, v in per_class},
        }

    def table(self) -> str:
        """The numbers with what they were measured on, and warnings."""
        values = ", ".join(f"{name} {value:.4f}" for name, value in self.summary().items())
        videos = f"{len(self.names)} videos, {len(self.class_names)} classes"
        lines = [f"{values} | {videos} | {self.num_views} views, {self.ensemble}"]
        for names, what in (
            (self.partial, "only some of their views"),
            (self.missing, "no view at all and count as wrong"),
        ):
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                lines.append(f"warning: {len(names)} videos have {what}: {', '.join(names[:SHOWN])}{more}")
        return "\n".join(lines)


def write_scores(scores: VideoScores, path: str | Path) -> None:
    """Write a compressed `.npz`; `read_scores` gives the same back. Only a complete file appears under `path`."""
    with open_whole(path, "wb") as file:
        np.savez_compressed(
            file,
            format=np.array(FORMAT),
            names=np.array(scores.names),
            class_names=np.array(scores.class_names),
            labels=scores.labels,
            scores=scores.scores,
            views=scores.views,
            num_views=np.array(scores.num_views),
            ensemble=np.array(scores.ensemble),
        )


def read_scores(path: str | Path) -> VideoScores:
    """Raises FileNotFoundError, or ValueError naming the file when `write_scores` did not write it."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        if not is_zipfile(path):
            raise ValueError("it is no .npz archive")
        with np.load(path, allow_pickle=False) as file:
            if str(file["format"]) != FORMAT:
                raise ValueError(f"its format is {str(file['format'])!r}, not {FORMAT!r}")
            return VideoScores(
                names=tuple(file["names"].tolist()),
                class_names=tuple(file["class_names"].tolist()),
                labels=file["labels"],
                scores=file["scores"],
                views=file["views"],
                num_views=int(file["num_views"]),
                ensemble=str(file["ensemble"]),
            )
    except (KeyError, ValueError, OSError, EOFError, TypeError) as error:  # TypeError: a bare array
        raise ValueError(f"{path}: not a file of video scores: {error}") from None
