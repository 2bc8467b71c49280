"""Classification: tell what a whole clip shows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fvcore.common.config import CfgNode
from torch import Tensor

from slowfast.config.classes import with_num_classes
from slowfast.datasets.annotations.videos.class_names import numbers_as_names
from slowfast.datasets.annotations.videos.label_order import follow_order, overlap_note
from slowfast.datasets.build import (
    build_clip_sampling,
    build_label_loader,
    build_view_crops,
    build_view_loader,
    clip_counts,
    read_split,
)
from slowfast.datasets.clips.train_loader import TrainBatchLoader
from slowfast.datasets.clips.video_views import Chunks
from slowfast.datasets.readable import check_readable
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
from slowfast.structures.outputs.result import Ranked
from slowfast.tasks.probing import name_broken_videos, try_some_clips
from slowfast.tasks.task import Normalisation, Task, Trial, normalisation_of
from slowfast.utils.logging import get_logger
from slowfast.utils.processes import distributed
from slowfast.weights.file import read_weight_file

_CURVES = 50  # classes of which TensorBoard is given a curve


class Classification(Task):
    """Labelled videos of VideoSplits: trained on augmented clips, tested in several views. The model returns logits (B, C).

    Everything that a configuration can have wrong is found here, before a file is written.
    """

    def __init__(self, cfg: CfgNode) -> None:
        if not cfg.TRAIN.ENABLE and cfg.TEST.ENABLE and not cfg.TEST.CHECKPOINT_FILE_PATH:
            raise ValueError("TEST.CHECKPOINT_FILE_PATH ('') must name the weights to test")
        self.test_split = _in_order_of_weights(cfg, _read(cfg, "test"))
        if cfg.TRAIN.ENABLE:
            self.train_split = _read(cfg, "train")
            names = self.train_split.videos.class_names
            self.validation_split = follow_order(_read(cfg, "val"), names, "the training list")
            self.test_split = follow_order(self.test_split, names, "the training list")
        self.class_names = self._same_classes(cfg)
        self.class_ids = tuple(range(len(self.class_names)))
        self.cfg = with_num_classes(cfg, len(self.class_names), cfg.TEST.DATASET)
        if cfg.TRAIN.ENABLE:
            # Loaders read nothing before they are asked for clips, and refuse what cannot be.
            self.train_loader()
            self.validation_loader()
            self.criterion()
        if cfg.TEST.ENABLE:
            self._check_views()
        for name, split in self._splits():
            check_readable(split, name)

    def _check_views(self) -> None:
        """Raises ValueError for views that this data set does not have, before anything is computed or written."""
        sampling = build_clip_sampling(self.cfg, self.test_split)
        for clips in self.clip_counts:
            sampling.check_clips(clips)
        build_view_crops(self.cfg, sampling, self.cfg.TEST.NUM_SPATIAL_CROPS)

    def _same_classes(self, cfg: CfgNode) -> tuple[str, ...]:
        """The class names of the splits. Raises ValueError where these are not the same, or not read alike."""
        for name, split in self._splits():
            if split.videos.class_names != self.test_split.videos.class_names:
                raise ValueError(
                    f"the {name} split has {_some(split.videos.class_names)}, and the test split "
                    f"{_some(self.test_split.videos.class_names)}: they must have the same classes in the same order "
                    f"(TRAIN.DATASET {cfg.TRAIN.DATASET}, TEST.DATASET {cfg.TEST.DATASET})"
                )
            if split.bgr != self.test_split.bgr:
                raise ValueError(
                    f"TRAIN.DATASET {cfg.TRAIN.DATASET} and TEST.DATASET {cfg.TEST.DATASET} are read with their colours in "
                    "another order (DATA.REVERSE_INPUT_CHANNEL): train and test on one kind of set"
                )
        return self.test_split.videos.class_names

    def _splits(self) -> list[tuple[str, VideoSplit]]:
        found = [("test", self.test_split)]
        if hasattr(self, "train_split"):
            found += [("val", self.validation_split), ("train", self.train_split)]
        return found

    def prepare(self) -> None:
        log, cfg = get_logger(), self.cfg
        said: set[str] = set()  # what is true of several splits is said of the first
        for name, split in self._splits():
            dataset = cfg.TEST.DATASET if name == "test" else cfg.TRAIN.DATASET
            log.info(
                "%s (%s): %d videos, %d classes", dataset, name, len(split.videos.names), len(split.videos.class_names)
            )
            for note in (note for note in split.notes if note not in said):
                log.info("%s (%s): %s", dataset, name, note)
            said.update(split.notes)
            if name != "val" or split.videos.names != self.test_split.videos.names:  # one list often serves both
                name_broken_videos(cfg, name, split.pixels, split.videos.names)
                try_some_clips(cfg, name, split)
        if cfg.TRAIN.ENABLE:
            self._warn_of_overlap()
            log.info("%s", describe_training(cfg, len(self.train_split.videos.names)))

    def _warn_of_overlap(self) -> None:
        """Where videos that are trained on are validated or tested on, too; once where these are the same videos."""
        train, validation, test = (s.videos for s in (self.train_split, self.validation_split, self.test_split))
        notes = [overlap_note(train, test)]
        if validation.names != test.names:
            notes.append(overlap_note(train, validation, what="validation"))
        for note in filter(None, notes):
            get_logger().warning("%s", note)

    def train_loader(self) -> TrainBatchLoader:
        rank, processes = distributed.rank(), distributed.world_size()
        return build_label_loader(self.cfg, self.train_split, rank=rank, world_size=processes)

    def test_loader(self) -> Iterable[ClipBatch]:
        """Of the last trial."""
        return self._view_loader(self.clip_counts[-1])

    @property
    def clip_counts(self) -> list[int]:
        """Clips of a video, of each of the run's tests."""
        return clip_counts(self.cfg)

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

    def validation_loader(self) -> Iterable[ClipBatch]:
        """One clip in the middle of each video, its centre: the same in every epoch."""
        rank, processes = distributed.rank(), distributed.world_size()
        return build_view_loader(
            self.cfg,
            self.validation_split,
            rank=rank,
            world_size=processes,
            num_clips=1,
            num_crops=1,
            in_the_middle=True,
        )

    @property
    def normalisation(self) -> Normalisation:
        return normalisation_of(self.cfg, bgr=self.test_split.bgr)

    def arguments(self, batch: ClipBatch) -> tuple[Tensor, ...]:
        return (batch.clips,)

    def criterion(self) -> Criterion:
        return build_criterion(self.cfg, default="label")

    def postprocess(self) -> Callable[[Any, Sequence[Any]], Any]:
        return lambda logits, metas: logits.float().cpu()

    def evaluator(self) -> ClassificationEvaluator:
        """Of the last trial."""
        return self._evaluator(self.clip_counts[-1])

    def validation_evaluator(self) -> ClassificationEvaluator:
        return build_classification_evaluator(self.cfg, self.validation_split.videos, num_views=1)

    def finish(self, result: VideoScores, output: Path, *, suffix: str = "") -> dict[str, Any]:
        """Every video's scores, from which everything can be recomputed (an absolute path stays as it is), and tables."""
        path = output / self.cfg.TEST.SAVE_RESULTS_PATH
        write_scores(result, path.with_name(f"{path.stem}{suffix}{path.suffix}"))
        write_class_table(result.classes, output / f"per_class{suffix}.csv", multi_label=result.multi_label)
        if not result.multi_label:
            write_matrix(result.confusion, output / f"confusion{suffix}.csv")
        # What is not the usual test says so.
        return {} if self.cfg.TEST.FRAME_ORDER == "forward" else {"frame_order": self.cfg.TEST.FRAME_ORDER}

    def curves(self, result: VideoScores) -> dict[str, Ranked]:
        """One class against the others, of the first 50 that have a video."""
        seen = result.views > 0
        hot = result.labels if result.multi_label else result.labels[:, None] == np.arange(len(result.class_names))
        shown = np.flatnonzero(hot.any(axis=0))[:_CURVES].tolist()
        return {
            result.class_names[k]: Ranked(result.scores[seen, k], hot[seen, k], int(hot[:, k].sum())) for k in shown
        }

    def report(self, result: VideoScores, metrics: dict[str, Any], output: Path) -> Path | None:
        if not self.cfg.TEST.REPORT:
            return None
        return write_report(ClassifierRun(output, self.cfg, self.test_split, metrics, result))


def _read(cfg: CfgNode, name: str) -> VideoSplit:
    split = read_split(cfg, name)
    if not isinstance(split, VideoSplit):
        dataset = cfg.TEST.DATASET if name == "test" else cfg.TRAIN.DATASET
        raise ValueError(
            f"{'TEST' if name == 'test' else 'TRAIN'}.DATASET {dataset} has people on key frames, and MODEL.MODEL_NAME "
            f"{cfg.MODEL.MODEL_NAME} needs labels of videos"
        )
    return split


def _some(names: tuple[str, ...]) -> str:
    return f"{len(names)} classes ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})"


def describe_training(cfg: CfgNode, videos: int) -> str:
    """One line for the log: what a step takes, and what is done to it."""
    train, aug, mixup = cfg.TRAIN, cfg.AUG, cfg.MIXUP
    steps = videos // train.BATCH_SIZE
    parts = [
        f"a step takes TRAIN.BATCH_SIZE {train.BATCH_SIZE} videos x AUG.NUM_SAMPLE {aug.NUM_SAMPLE} = "
        f"{train.BATCH_SIZE * aug.NUM_SAMPLE} clips of all processes together",
        f"an epoch is {steps} steps, one pass over the videos without the last {videos - steps * train.BATCH_SIZE}",
    ]
    if aug.NUM_SAMPLE > 1:
        parts.append("the clips of a video show " + ("the same frames" if aug.SAMPLE_ONCE else "frames of their own"))
    if aug.ENABLE:
        parts.append(f"{aug.AA_TYPE or f'colours jittered by {aug.COLOR_JITTER:g}'}, erased with {aug.RE_PROB:g}")
    if mixup.ENABLE:
        mixed = f"steps mixed with {mixup.PROB:g} (mixup {mixup.ALPHA:g}, cutmix {mixup.CUTMIX_ALPHA:g})"
        parts.append(f"{mixed if mixup.PROB else 'no step mixed'}, labels smoothed by {mixup.LABEL_SMOOTH_VALUE:g}")
    return "; ".join(parts)


def _in_order_of_weights(cfg: CfgNode, split: VideoSplit) -> VideoSplit:
    """In a run that only tests: the same classes in another order follow the weights. Unnamed classes stay as they are."""
    own = split.videos.class_names
    if cfg.TRAIN.ENABLE or not cfg.TEST.ENABLE or own == numbers_as_names(len(own)):
        return split
    weights = cfg.TEST.CHECKPOINT_FILE_PATH
    return follow_order(split, read_weight_file(weights, prefer=cfg.MODEL.CHECKPOINT_ENTRY).class_names, weights)
