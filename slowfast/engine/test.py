"""Testing: every key frame through the model once, detections gathered once, one evaluation."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import simplejson
import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.datasets.annotations.annotated_set import AnnotatedSet
from slowfast.datasets.build import build_test_loader
from slowfast.engine.compiling import FullBatches
from slowfast.engine.inputs import InputPipe
from slowfast.engine.prefetch import Prefetch
from slowfast.engine.run_log import RunLog
from slowfast.engine.tube_scores import score_tubes
from slowfast.evaluation.build import build_evaluator
from slowfast.evaluation.frames.evaluator import AvaEvaluator
from slowfast.evaluation.frames.result import FrameMap
from slowfast.models.build import build_postprocess
from slowfast.models.postprocess import PostProcess
from slowfast.report.run import GIVEN_BOXES, TestedRun, write_report
from slowfast.structures.box_table import BoxTable
from slowfast.structures.clip import ClipBatch
from slowfast.utils import distributed
from slowfast.utils.ava_csv import write_detections_csv
from slowfast.utils.files import write_text
from slowfast.utils.logging import get_logger
from slowfast.utils.progress import progress


@dataclass(frozen=True)
class TestReport:
    """What a test found. frame_map, detections and people (boxes with p(actor)) are the same on every process."""

    frame_map: FrameMap
    detections: BoxTable
    people: BoxTable
    clips: int
    seconds: float
    unreadable: list[str] = field(default_factory=list)
    repeated_frames: int = 0

    def metrics(self) -> dict:
        """Everything for metrics.json: the numbers, their protocol, and what they were measured on."""
        return {
            **self.frame_map.report(),
            "clips": self.clips,
            "clips_per_second": self.clips / self.seconds if self.seconds else None,
            "unreadable_clips": self.unreadable,
            "repeated_frames": self.repeated_frames,
        }


@torch.no_grad()
def evaluate(
    model: nn.Module,
    loader: Iterable[ClipBatch],
    evaluator: AvaEvaluator,
    *,
    postprocess: PostProcess,
    pipe: InputPipe,
    autocast: bool = False,
    what: str = "testing",
) -> TestReport:
    """Run `model` over this process's share of the key frames and evaluate what all processes found."""
    was_training = model.training
    model.eval()
    start, clips, repeated, unreadable = time.perf_counter(), 0, 0, []
    upcoming = Prefetch(([batch] for batch in progress(loader, what=what, unit="batch")), pipe.device)
    full_batches = FullBatches()
    for (batch,) in upcoming:
        unreadable += [clip.reason for clip in batch.unreadable]
        if not len(batch):
            continue
        batch = pipe(batch)
        precision = torch.autocast(pipe.device.type, torch.bfloat16, enabled=autocast)
        with precision, full_batches.rule_for(batch.clips):
            predictions = model(*pipe.arguments(batch))
        upcoming.copy_next()
        evaluator.process(postprocess(predictions, batch.meta), batch.meta)
        clips += len(batch)
        repeated += sum(meta.repeated_frames for meta in batch.meta)
    seconds = time.perf_counter() - start
    model.train(was_training)
    frame_map, detections = evaluator.evaluate(gather=distributed.gather_objects)
    shares = distributed.gather_objects((clips, seconds, repeated, unreadable))
    return TestReport(
        frame_map,
        detections,
        evaluator.people,
        clips=sum(share[0] for share in shares),
        seconds=max(share[1] for share in shares),
        repeated_frames=sum(share[2] for share in shares),
        unreadable=sorted(reason for share in shares for reason in share[3]),
    )


def make_evaluator(cfg: CfgNode, annotated: AnnotatedSet) -> AvaEvaluator:
    return build_evaluator(
        cfg,
        groundtruth=annotated.groundtruth,
        label_map=annotated.eval_label_map,
        model_label_map=annotated.label_map,
        exclusions=annotated.exclusions,
    )


def make_pipe(cfg: CfgNode, device: torch.device) -> InputPipe:
    return InputPipe(device, mean=cfg.DATA.MEAN, std=cfg.DATA.STD, give_boxes=cfg.DETECTION.ENABLE)


def test(cfg: CfgNode, device: torch.device, model: nn.Module, annotated: AnnotatedSet) -> TestReport:
    """Test `model` and leave `detections.csv`, `people.csv`, `metrics.json` and the report in OUTPUT_DIR."""
    loader = build_test_loader(cfg, annotated, rank=distributed.rank(), world_size=distributed.world_size())
    report = evaluate(
        model,
        loader,
        make_evaluator(cfg, annotated),
        postprocess=build_postprocess(cfg),
        pipe=make_pipe(cfg, device),
        autocast=cfg.TRAIN.MIXED_PRECISION,
    )
    if distributed.is_main():
        output = Path(cfg.OUTPUT_DIR)
        write_detections_csv(report.detections, output / "detections.csv")
        write_detections_csv(report.people, output / "people.csv")
        metrics = report.metrics() | {"frame_order": cfg.TEST.FRAME_ORDER}
        if cfg.DETECTION.ENABLE:
            metrics["given_boxes"] = GIVEN_BOXES[cfg.DETECTION.BOXES]
            get_logger().info("the model was given %s; it did not find the people itself", metrics["given_boxes"])
        if annotated.tubes:
            metrics |= score_tubes(cfg, annotated, report.detections)
        text = simplejson.dumps(metrics, indent=2, ignore_nan=True)
        write_text(text + "\n", output / "metrics.json")
        RunLog(output).write("test", **report.frame_map.summary())
    describe(report)
    if cfg.TEST.REPORT and distributed.is_main():
        tested = TestedRun(output, cfg, annotated, metrics, report.detections, report.people)
        get_logger().info("report: %s", write_report(tested))
    return report


def describe(report: TestReport) -> None:
    """Log the table of the result, and every clip that could not be read."""
    log = get_logger()
    log.info("\n%s", report.frame_map.table())
    log.info(
        "%d clips in %.1f s (%.1f clips/s)", report.clips, report.seconds, report.clips / max(report.seconds, 1e-9)
    )
    log_unreadable(report.unreadable, report.repeated_frames)


def log_unreadable(unreadable: list[str], repeated_frames: int) -> None:
    """Name the clips that could not be read, ten at most, and count the frames repeated at the ends of videos."""
    log = get_logger()
    if unreadable:
        log.warning(
            "%d clips could not be read and were left out (DATA.STRICT True makes this fatal):", len(unreadable)
        )
        for reason in unreadable[:10]:
            log.warning("  - %s", reason)
        if len(unreadable) > 10:
            log.warning("  - and %d more", len(unreadable) - 10)
    if repeated_frames:
        log.info("%d frames beyond the ends of their videos repeat the first or last frame", repeated_frames)
