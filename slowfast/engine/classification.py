"""Testing a classifier: every view of every video once, averaged per video, with all scores kept in a file."""

import math
from pathlib import Path

import simplejson
import torch
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.datasets.build import build_view_loader, read_labelled_videos
from slowfast.engine.compiling import compile_in_place
from slowfast.engine.run_log import RunLog
from slowfast.engine.test import log_unreadable
from slowfast.evaluation.build import build_classification_evaluator
from slowfast.evaluation.videos.scores import VideoScores, write_scores
from slowfast.models.build import build_model
from slowfast.structures.clip import UnreadableClip
from slowfast.utils import distributed
from slowfast.utils.files import write_text
from slowfast.utils.logging import get_logger
from slowfast.utils.progress import progress
from slowfast.weights.load import load_weights


def test_classifier(cfg: CfgNode, device: torch.device) -> VideoScores:
    """Test TEST.CHECKPOINT_FILE_PATH on TEST.DATASET; leaves `scores.npz` and `metrics.json` in OUTPUT_DIR."""
    if cfg.TRAIN.ENABLE:
        raise ValueError(
            f"TEST.DATASET {cfg.TEST.DATASET} is for testing only: set TRAIN.ENABLE False and name the weights in "
            "TEST.CHECKPOINT_FILE_PATH"
        )
    if not cfg.TEST.CHECKPOINT_FILE_PATH:
        raise ValueError("TEST.CHECKPOINT_FILE_PATH ('') must name the weights to test")
    log = get_logger()
    videos = read_labelled_videos(cfg)
    log.info("%s: %d videos, %d classes", cfg.TEST.DATASET, len(videos.paths), len(videos.class_names))
    model = build_model(cfg).to(device)
    log.info("%s", load_weights(model, cfg.TEST.CHECKPOINT_FILE_PATH))
    compile_in_place(cfg, model, device, graphs=True)
    evaluator = build_classification_evaluator(
        cfg, names=videos.paths, labels=videos.labels, class_names=videos.class_names
    )
    loader = build_view_loader(cfg, videos, rank=distributed.rank(), world_size=distributed.world_size())
    unreadable, repeated = [], 0
    for sample in progress(loader, what="testing", unit="video"):
        if isinstance(sample, UnreadableClip):
            unreadable.append(sample.reason)
            continue
        logits = classify(cfg, model, sample.views, device)
        count = len(logits)
        evaluator.process(torch.full((count,), sample.video).numpy(), torch.arange(count).numpy(), logits.numpy())
        repeated += sample.repeated_frames
    scores = evaluator.evaluate(gather=distributed.gather_objects)
    shares = distributed.gather_objects((unreadable, repeated))
    if distributed.is_main():
        write_results(cfg, scores)
    log.info("\n%s", scores.table())
    log_unreadable(sorted(reason for reasons, _ in shares for reason in reasons), sum(count for _, count in shares))
    return scores


@torch.no_grad()
def classify(cfg: CfgNode, model: nn.Module, views: Tensor, device: torch.device) -> Tensor:
    """(V, 3, T, H, W) uint8 views -> (V, C) raw outputs on the CPU.

    At most its share of TEST.BATCH_SIZE at a time, in pieces as equal as can be: compiled code is made for each size.
    """
    model.eval()
    mean, std = (torch.tensor(value, device=device).view(1, 3, 1, 1, 1) for value in (cfg.DATA.MEAN, cfg.DATA.STD))
    outputs = []
    share = max(1, cfg.TEST.BATCH_SIZE // distributed.world_size())
    for piece in views.chunk(math.ceil(len(views) / share)):
        clips = (piece.to(device, non_blocking=True).float() / 255 - mean) / std
        with torch.autocast(device.type, torch.bfloat16, enabled=cfg.TRAIN.MIXED_PRECISION):
            outputs.append(model(clips).float().cpu())
    return torch.cat(outputs)


def write_results(cfg: CfgNode, scores: VideoScores) -> None:
    """The scores, from which everything can be recomputed, and the numbers."""
    output = Path(cfg.OUTPUT_DIR)
    write_scores(scores, output / cfg.TEST.SAVE_RESULTS_PATH)  # an absolute path stays as it is
    text = simplejson.dumps(scores.report(), indent=2, ignore_nan=True)
    write_text(text + "\n", output / "metrics.json")
    RunLog(output).write("test", **scores.summary())
