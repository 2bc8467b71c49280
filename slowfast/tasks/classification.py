"""Classification: tell what a whole clip shows."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from fvcore.common.config import CfgNode
from torch import Tensor

from slowfast.config.classes import with_num_classes
from slowfast.datasets.build import build_view_loader, read_split
from slowfast.datasets.split import VideoSplit
from slowfast.evaluation.build import build_classification_evaluator
from slowfast.evaluation.videos.confusion import write_class_table, write_matrix
from slowfast.evaluation.videos.evaluator import ClassificationEvaluator
from slowfast.evaluation.videos.score_files import write_scores
from slowfast.evaluation.videos.scores import VideoScores
from slowfast.losses.build import build_criterion
from slowfast.losses.criterion import Criterion
from slowfast.report.videos.run import ClassifierRun, write_report
from slowfast.structures.clip import ClipBatch
from slowfast.tasks.task import Task, TrainLoader
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

    def prepare(self) -> None:
        videos = self.test_split.videos
        get_logger().info(
            "%s: %d videos, %d classes", self.cfg.TEST.DATASET, len(videos.names), len(videos.class_names)
        )

    def train_loader(self) -> TrainLoader:
        raise ValueError(f"there is no training split of {self.cfg.TEST.DATASET}: set TRAIN.ENABLE False")

    def test_loader(self) -> Iterable[ClipBatch]:
        rank, processes = distributed.rank(), distributed.world_size()
        return build_view_loader(self.cfg, self.test_split, rank=rank, world_size=processes)

    def arguments(self, batch: ClipBatch) -> tuple[Tensor, ...]:
        return (batch.clips,)

    def criterion(self) -> Criterion:
        return build_criterion(self.cfg, default="label")

    def postprocess(self) -> Callable[[Any, Sequence[Any]], Any]:
        return lambda logits, metas: logits.float().cpu()

    def evaluator(self) -> ClassificationEvaluator:
        return build_classification_evaluator(self.cfg, self.test_split.videos)

    def finish(self, result: VideoScores, output: Path) -> dict[str, Any]:
        """Every video's scores, from which everything can be recomputed (an absolute path stays as it is), and tables."""
        write_scores(result, output / self.cfg.TEST.SAVE_RESULTS_PATH)
        write_class_table(result.classes, output / "per_class.csv", multi_label=result.multi_label)
        if not result.multi_label:
            write_matrix(result.confusion, output / "confusion.csv")
        return {}

    def report(self, result: VideoScores, metrics: dict[str, Any], output: Path) -> Path | None:
        if not self.cfg.TEST.REPORT:
            return None
        return write_report(ClassifierRun(output, self.cfg, self.test_split, metrics, result))
