"""Localization: find the people of key frames and tell what each of them does (BMViT)."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.config.classes import with_num_classes
from slowfast.datasets.annotations.few_shots import few_videos
from slowfast.datasets.build import build_test_loader, build_train_loader, read_split
from slowfast.datasets.clips.key_frame_clips import rows_on_key_frames
from slowfast.datasets.clips.train_loader import TrainBatchLoader
from slowfast.datasets.split import KeyFrameSplit
from slowfast.evaluation.build import build_evaluator
from slowfast.evaluation.diagnosis.actor_curves import FoundPeople, match_found_people
from slowfast.evaluation.frames.evaluator import DetectionEvaluator
from slowfast.evaluation.frames.result import DetectionResult
from slowfast.losses.build import build_criterion
from slowfast.losses.criterion import Criterion
from slowfast.models.build import build_postprocess
from slowfast.report.detection.run import TestedRun, write_report
from slowfast.report.detection.samples import sample_pictures
from slowfast.structures.clip import ClipBatch
from slowfast.structures.outputs.result import Ranked
from slowfast.tasks.frame_features import FrameFeatures
from slowfast.tasks.probing import name_broken_videos, try_some_clips
from slowfast.tasks.task import Pictures, Task
from slowfast.tasks.tube_scores import score_tubes
from slowfast.utils.ava.tables import write_detections_csv
from slowfast.utils.logging import get_logger
from slowfast.utils.processes import distributed
from slowfast.utils.processes.cores import effective_cores
from slowfast.video.stored.cache import CachedVideos, PrefillReport


class Localization(Task):
    """People on key frames of a KeyFrameSplit. The model is given clips and returns Predictions."""

    given_boxes = ""  # where the boxes came from when the model is told them
    features: FrameFeatures | None = None  # with DATA.FEATURE_VIEWS, once the weights are known

    def __init__(self, cfg: CfgNode) -> None:
        self.test_split = self._read(cfg, "test")
        label_map = self.test_split.annotated.label_map
        self.cfg = with_num_classes(cfg, label_map.num_classes, f"the label map of {cfg.TEST.DATASET} (test)")
        self.class_names, self.class_ids = label_map.names, label_map.ids

    def _read(self, cfg: CfgNode, name: str) -> KeyFrameSplit:
        split = read_split(cfg, name)
        if not isinstance(split, KeyFrameSplit):
            dataset = cfg.TRAIN.DATASET if name == "train" else cfg.TEST.DATASET
            raise ValueError(
                f"{name.upper()}.DATASET {dataset} has labels of whole videos, and MODEL.MODEL_NAME "
                f"{cfg.MODEL.MODEL_NAME} needs people on key frames; choose MODEL.MODEL_NAME MViT, or another data set"
            )
        # Only key frames that the model is shown are evaluated; what was left out, and why, is in the notes.
        shown = rows_on_key_frames(split.annotated.groundtruth, split.annotated.key_frames)
        return replace(split, annotated=replace(split.annotated, groundtruth=shown))

    @cached_property
    def train_split(self) -> KeyFrameSplit:
        split = self._read(self.cfg, "train")
        if self.cfg.DATA.SHOTS:
            split = _with_shots(split, self.cfg.DATA.SHOTS, self.cfg.RNG_SEED)
        with_num_classes(
            self.cfg, split.annotated.label_map.num_classes, f"the label map of {self.cfg.TRAIN.DATASET} (train)"
        )
        return split

    def prepare(self) -> None:
        for name, split in self._splits():
            for note in split.annotated.notes:
                get_logger().info("%s: %s", name, note)
            name_broken_videos(self.cfg, name, split.pixels, split.annotated.key_frames.used_videos)
            fill_cache(name, split)
            try_some_clips(self.cfg, name, split)

    def _splits(self) -> Iterator[tuple[str, KeyFrameSplit]]:
        yield "test", self.test_split
        if self.cfg.TRAIN.ENABLE:
            yield "train", self.train_split

    def meet_model(self, model: nn.Module, pictures: Pictures) -> None:
        if not self.cfg.DATA.FEATURE_VIEWS:
            return
        self.features = FrameFeatures(self.cfg, model, pictures)
        for name, split in self._splits():
            self.features.fill(name, split)

    def train_loader(self) -> TrainBatchLoader:
        rank, processes = distributed.rank(), distributed.world_size()
        store = None if self.features is None else self.features.store
        return build_train_loader(self.cfg, self.train_split, rank=rank, world_size=processes, features=store)

    def test_loader(self) -> Iterable[ClipBatch]:
        rank, processes = distributed.rank(), distributed.world_size()
        store = None if self.features is None else self.features.store
        return build_test_loader(self.cfg, self.test_split, rank=rank, world_size=processes, features=store)

    def arguments(self, batch: ClipBatch) -> tuple[Tensor, ...]:
        return (batch.clips,)

    def criterion(self) -> Criterion:
        return build_criterion(self.cfg, default="set")

    def postprocess(self) -> Callable[[Any, Sequence[Any]], Any]:
        return build_postprocess(self.cfg)

    def evaluator(self) -> DetectionEvaluator:
        annotated = self.test_split.annotated
        return build_evaluator(
            self.cfg,
            groundtruth=annotated.groundtruth,
            label_map=annotated.eval_label_map,
            model_label_map=annotated.label_map,
            exclusions=annotated.exclusions,
            frame_by_frame=self.test_split.frame_by_frame,
        )

    def finish(self, result: DetectionResult, output: Path, *, suffix: str = "") -> dict[str, Any]:
        write_detections_csv(result.detections, output / f"detections{suffix}.csv")
        write_detections_csv(result.people, output / f"people{suffix}.csv")
        more: dict[str, Any] = {"frame_order": self.cfg.TEST.FRAME_ORDER}
        if self.given_boxes:
            more["given_boxes"] = self.given_boxes
            get_logger().info("the model was given %s; it did not find the people itself", self.given_boxes)
        if self.test_split.annotated.tubes:
            more |= score_tubes(self.cfg, self.test_split, result.detections)
        return more

    def curves(self, result: DetectionResult) -> dict[str, Ranked]:
        """Finding people, whatever they do; the curves of the classes are in the report of a test."""
        found, annotated = result.frame_map, self.test_split.annotated
        if not found.annotated:
            return {}
        matches = match_found_people(
            FoundPeople(result.detections, result.people),
            annotated.groundtruth,
            {
                "key_frames": found.key_frames,
                "exclusions": tuple(annotated.exclusions),
                "iou_threshold": found.iou_threshold,
            },
        )
        return {"person": Ranked(matches.row_score, matches.row_hit, len(matches.truth_cell))}

    def pictures(self, result: DetectionResult) -> dict[str, np.ndarray]:
        return sample_pictures(self.cfg, self.test_split, result.detections)

    def report(self, result: DetectionResult, metrics: dict[str, Any], output: Path) -> Path | None:
        if not self.cfg.TEST.REPORT:
            return None
        if not result.frame_map.annotated:
            get_logger().info(
                "no report: nobody is annotated on the key frames of the test; detections.csv has what was found"
            )
            return None
        return write_report(TestedRun(output, self.cfg, self.test_split, metrics, result.detections, result.people))


def _with_shots(split: KeyFrameSplit, shots: int, seed: int) -> KeyFrameSplit:
    """The split with a few videos of each class."""
    annotated = split.annotated
    few = few_videos(annotated.key_frames, annotated.label_map, shots=shots, seed=seed)
    note = (
        f"DATA.SHOTS {shots}: {len(few)} key frames of {len(few.used_videos)} videos are left, drawn by RNG_SEED {seed}"
    )
    return replace(split, annotated=replace(annotated, key_frames=few, notes=(*annotated.notes, note)))


def fill_cache(name: str, split: KeyFrameSplit) -> None:
    """With DATA.CACHE_DIR, decode what the cache lacks before the first clip is asked for: each process its share."""
    if not isinstance(split.pixels, CachedVideos):
        return
    processes = distributed.world_size()
    share = split.annotated.key_frames.used_videos[distributed.rank() :: processes]
    neighbours = int(os.environ.get("LOCAL_WORLD_SIZE", processes))  # the processes on this machine
    workers = max(1, effective_cores().count // neighbours)
    report = split.pixels.prefill(share, num_workers=workers, shares=neighbours)
    get_logger().info("%s: %s", name, PrefillReport.of_all(distributed.gather_objects(report)))
