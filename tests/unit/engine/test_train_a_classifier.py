"""The one train loop and the one test loop serve a classifier: labels in place of people, logits in place of boxes."""

import numpy as np
import torch

from slowfast.engine.device.inputs import Inputs
from slowfast.engine.test import evaluate
from slowfast.engine.train_one_epoch import EpochPlan, train_one_epoch
from slowfast.evaluation.videos.evaluator import ClassificationEvaluator
from slowfast.losses.label_criterion import LabelCriterion
from slowfast.models.classifier import VideoClassifier
from slowfast.solver.schedule import Schedule
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.structures.clip import ClipBatch, ViewMeta
from slowfast.structures.targets import Labels
from tests.unit.models.tiny import CLIP_SHAPE, tiny_bmvit

VIDEOS = LabelledVideos(tuple("abcd"), np.array([0, 1, 0, 1]), ("dark", "bright"))


def batch_of(*videos: int) -> ClipBatch:
    """Clips that are dark or bright as their video is labelled."""
    level = torch.tensor([40, 200], dtype=torch.uint8)[torch.from_numpy(VIDEOS.labels[list(videos)])]
    clips = level.view(-1, 1, 1, 1, 1).expand(len(videos), *CLIP_SHAPE)
    metas = tuple(ViewMeta(VIDEOS.names[video], 0) for video in videos)
    return ClipBatch(clips, Labels(torch.from_numpy(VIDEOS.labels[list(videos)])), metas)


def train(model: VideoClassifier, batches: list[ClipBatch], *, accumulate: int = 1, lr: float = 0.05):
    optimizer = torch.optim.SGD([{"params": model.parameters(), "base_lr": lr, "name": "all"}], lr=lr)
    inputs = Inputs(torch.device("cpu"), mean=(0.45,) * 3, std=(0.225,) * 3)
    plan = EpochPlan(epoch=0, steps=len(batches) // accumulate, accumulate=accumulate)
    schedule = Schedule(lambda epoch: 1.0)
    report = train_one_epoch(model, LabelCriterion(), batches, optimizer, inputs=inputs, schedule=schedule, plan=plan)
    return report, inputs


def classifier() -> VideoClassifier:
    torch.manual_seed(0)
    return VideoClassifier(tiny_bmvit(class_token=True).backbone, num_classes=2)


def test_it_learns_and_is_tested():
    model = classifier()
    report, inputs = train(model, [batch_of(0, 1, 2, 3)] * 30)
    assert report.steps == 30
    evaluator = ClassificationEvaluator(VIDEOS, num_views=1)
    tested = evaluate(
        model,
        [batch_of(0, 1), batch_of(2, 3)],
        evaluator,
        inputs=inputs,
        postprocess=lambda logits, metas: logits.float().cpu(),
    )
    assert tested.result.headline == ("top1", 1.0) and tested.clips == 4


def test_micro_batches_take_the_step_of_the_whole_batch():
    whole, parts = classifier(), classifier()
    train(whole, [batch_of(0, 1, 2, 3)])
    train(parts, [batch_of(0), batch_of(1, 2, 3)], accumulate=2)
    for (name, a), b in zip(whole.named_parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")
