"""TwoStage: tell what given people do; where they are is told by the annotation or by a person detector."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fvcore.common.config import CfgNode
from torch import Tensor

from slowfast.datasets.annotations.people.proposals import with_proposals
from slowfast.datasets.split import KeyFrameSplit
from slowfast.losses.build import build_criterion
from slowfast.losses.criterion import Criterion
from slowfast.structures.clip import ClipBatch
from slowfast.structures.outputs.roi import regions_of_people
from slowfast.structures.targets import People
from slowfast.tasks.localization import Localization

GIVEN_BOXES = {"groundtruth": "the annotated boxes", "proposals": "the boxes of a person detector"}


class TwoStage(Localization):
    """The model is called with clips and boxes, and returns RoIPredictions of these boxes."""

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__(cfg)
        self.given_boxes = GIVEN_BOXES[cfg.DETECTION.BOXES]

    def _read(self, cfg: CfgNode, name: str) -> KeyFrameSplit:
        """The split with the boxes to classify; the annotated ones unless detected ones are named."""
        split, training = super()._read(cfg, name), name == "train"
        if not training and cfg.DETECTION.BOXES == "groundtruth":
            return split
        given = split.proposals
        if not given.files and training:
            return split
        if not given.files:
            where = f"name files in {given.section}.TEST_PREDICT_BOX_LISTS, or " if given.section else "it takes none, "
            raise ValueError(
                f"DETECTION.BOXES proposals needs boxes to test on {cfg.TEST.DATASET}: {where}set DETECTION.BOXES "
                "groundtruth for an oracle"
            )
        annotated = with_proposals(
            split.annotated, given.files, min_score=given.min_score, training=training, section=given.section
        )
        return replace(split, annotated=annotated)

    def arguments(self, batch: ClipBatch) -> tuple[Tensor, ...]:
        """(clips, boxes (K, 5)): index of the clip in the batch, then xyxy in pixels of the input."""
        if not isinstance(batch.targets, People):
            raise TypeError(f"given boxes come from People, and this batch has {type(batch.targets).__name__}")
        height, width = batch.clips.shape[-2:]
        if self.features is not None:
            height, width = height * self.features.stride, width * self.features.stride
        return (batch.clips, regions_of_people(batch.targets, (height, width)))

    def criterion(self) -> Criterion:
        return build_criterion(self.cfg, default="roi")

    def postprocess(self) -> Callable[[Any, Sequence[Any]], Any]:
        from slowfast.models.detection.two_stage import RoIPostProcess  # with torchvision

        return RoIPostProcess()
