"""Classification: tell what a whole clip shows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fvcore.common.config import CfgNode
from torch import Tensor

from slowfast.config.classes import with_num_classes
from slowfast.datasets.build import build_clip_sampling, build_view_crops, build_view_loader, read_split
from slowfast.datasets.clips.video_views import Chunks
from slowfast.datasets.split import VideoSplit
from slowfast.evaluation.build import build_classification_evaluator
from slowfast.evaluation.videos.evaluator import ClassificationEvaluator
from slowfast.evaluation.videos.scores import VideoScores, write_scores
from slowfast.losses.build import build_criterion
from slowfast.losses.criterion import Criterion
from slowfast.structures.clip import ClipBatch
from slowfast.tasks.task import Task, TrainLoader, Trial
from slowfast.utils import distributed
from slowfast.utils.logging import get_logger


class Classification(Task):
    """Labelled videos of a VideoSplit, each tested in several views. The model returns logits (B, C)."""

    def __init__(self, cfg: CfgNode) -> None:
        if cfg.TRAIN.ENABLE:
            raise ValueError(
                f"TEST.DATASET {cfg.TEST.DATASET} is for testing only: set TRAIN.ENABLE False and name the weights in "
                "TEST.CHECKPOINT_FILE_PATH"
            )
        if cfg.TEST.ENABLE and not cfg.TEST.CHECKPOINT_FILE_PATH:
            raise ValueError("TEST.CHECKPOINT_FILE_PATH ('') must name the weights to test")
        split = read_split(cfg, "test")
        if not isinstance(split, VideoSplit):
            raise ValueError(
                f"TEST.DATASET {cfg.TEST.DATASET} has people on key frames, and a classifier needs labels of videos"
            )
        self.test_split = split
        self.class_names = split.videos.class_names
        self.class_ids = tuple(range(len(self.class_names)))
        self.cfg = with_num_classes(cfg, len(self.class_names), cfg.TEST.DATASET)
        if cfg.TEST.ENABLE:
            self._check_views()

    def _check_views(self) -> None:
        """Raises ValueError for views that this data set does not have, before anything is computed or written."""
        sampling = build_clip_sampling(self.cfg, self.test_split)
        for clips in self.clip_counts:
            sampling.check_clips(clips)
        build_view_crops(self.cfg, sampling, self.cfg.TEST.NUM_SPATIAL_CROPS)

    def prepare(self) -> None:
        videos = self.test_split.videos
        get_logger().info(
            "%s: %d videos, %d classes", self.cfg.TEST.DATASET, len(videos.names), len(videos.class_names)
        )

    def train_loader(self) -> TrainLoader:
        raise ValueError(f"there is no training split of {self.cfg.TEST.DATASET}: set TRAIN.ENABLE False")

    def test_loader(self) -> Iterable[ClipBatch]:
        """Of the last trial."""
        return self._view_loader(self.clip_counts[-1])

    @property
    def clip_counts(self) -> list[int]:
        """Clips of a video, of each of the run's tests."""
        return list(self.cfg.TEST.NUM_TEMPORAL_CLIPS) or [self.cfg.TEST.NUM_ENSEMBLE_VIEWS]

    def trials(self) -> Iterator[Trial]:
        counts, crops = self.clip_counts, self.cfg.TEST.NUM_SPATIAL_CROPS
        for clips in counts:
            name = f"{clips}x{crops}" if len(counts) > 1 else ""
            yield Trial(name, self._view_loader(clips), self._evaluator(clips), last=clips == counts[-1])

    def _view_loader(self, clips: int) -> Chunks:
        return build_view_loader(
            self.cfg,
            self.test_split,
            rank=distributed.rank(),
            world_size=distributed.world_size(),
            num_clips=clips,
            num_crops=self.cfg.TEST.NUM_SPATIAL_CROPS,
        )

    def _evaluator(self, clips: int) -> ClassificationEvaluator:
        views = clips * self.cfg.TEST.NUM_SPATIAL_CROPS
        return build_classification_evaluator(self.cfg, self.test_split.videos, num_views=views)

    def arguments(self, batch: ClipBatch) -> tuple[Tensor, ...]:
        return (batch.clips,)

    def criterion(self) -> Criterion:
        return build_criterion(self.cfg, default="label")

    def postprocess(self) -> Callable[[Any, Sequence[Any]], Any]:
        return lambda logits, metas: logits.float().cpu()

    def evaluator(self) -> ClassificationEvaluator:
        """Of the last trial."""
        return self._evaluator(self.clip_counts[-1])

    def finish(self, result: VideoScores, output: Path, *, suffix: str = "") -> dict[str, Any]:
        """Every video's scores, from which everything can be recomputed; an absolute path stays as it is."""
        path = output / self.cfg.TEST.SAVE_RESULTS_PATH
        write_scores(result, path.with_name(f"{path.stem}{suffix}{path.suffix}"))
        # What is not the usual test says so.
        return {} if self.cfg.TEST.FRAME_ORDER == "forward" else {"frame_order": self.cfg.TEST.FRAME_ORDER}

    def report(self, result: VideoScores, metrics: dict[str, Any], output: Path) -> Path | None:
        return None
