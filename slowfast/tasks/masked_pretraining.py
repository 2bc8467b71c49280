"""MaskedPretraining: learn from clips without labels, by telling what is hidden of them (MaskFeat)."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from fvcore.common.config import CfgNode
from torch import Tensor

from slowfast.datasets.build import build_label_loader, build_mask_shape
from slowfast.datasets.clips.masked_clips import HiddenViews, Hiding
from slowfast.datasets.clips.train_loader import TrainBatchLoader
from slowfast.evaluation.reconstruction import Reconstruction, ReconstructionEvaluator, sums_of_clips
from slowfast.losses.build import build_criterion
from slowfast.losses.criterion import Criterion
from slowfast.structures.clip import ClipBatch
from slowfast.structures.outputs.result import Ranked
from slowfast.structures.targets import Masked
from slowfast.tasks.classification import Classification
from slowfast.utils.logging import get_logger
from slowfast.utils.processes import distributed


class MaskedPretraining(Classification):
    """Videos of VideoSplits, whose labels are not read. The model is called with clips and masks, and returns
    MaskedPredictions. It is tested on the views of the test split, each with a mask that never changes.
    """

    def __init__(self, cfg: CfgNode) -> None:
        self.mask = build_mask_shape(cfg)  # its loaders, which are tried at once, ask for it
        super().__init__(cfg)
        self.class_names, self.class_ids = (), ()  # the weights know no class

    def prepare(self) -> None:
        super().prepare()
        get_logger().info(
            "masked pre-training: labels are not read; %s masks hide %d of %s cells",
            self.mask.kind,
            self.mask.masked,
            "x".join(map(str, self.mask.window)),
        )

    def train_loader(self) -> TrainBatchLoader:
        rank, processes = distributed.rank(), distributed.world_size()
        hiding = Hiding(self.mask, seed=self.cfg.RNG_SEED)
        return build_label_loader(self.cfg, self.train_split, rank=rank, world_size=processes, change=hiding)

    def _view_loader(self, clips: int) -> HiddenViews:  # type: ignore[override]  # the same clips, with masks
        return HiddenViews(super()._view_loader(clips), self.mask, seed=self.cfg.RNG_SEED)

    def validation_loader(self) -> Iterable[ClipBatch]:
        return HiddenViews(super().validation_loader(), self.mask, seed=self.cfg.RNG_SEED)

    def arguments(self, batch: ClipBatch) -> tuple[Tensor, ...]:
        """(clips, cells (B, t, h, w) bool, True where hidden)."""
        if not isinstance(batch.targets, Masked):
            raise TypeError(f"what is hidden comes from Masked, and this batch has {type(batch.targets).__name__}")
        return (batch.clips, batch.targets.cells)

    def curves(self, result: Any) -> dict[str, Ranked]:
        """Nothing is found or missed here."""
        return {}

    def criterion(self) -> Criterion:
        return build_criterion(self.cfg, default="masked")

    def postprocess(self) -> Callable[[Any, Sequence[Any]], Any]:
        return lambda predictions, metas: sums_of_clips(predictions)

    def _evaluator(self, clips: int) -> ReconstructionEvaluator:  # type: ignore[override]  # another kind of result
        return ReconstructionEvaluator()

    def validation_evaluator(self) -> ReconstructionEvaluator:  # type: ignore[override]
        return ReconstructionEvaluator()

    def finish(  # type: ignore[override]
        self, result: Reconstruction, output: Path, *, suffix: str = ""
    ) -> dict[str, Any]:
        """What was hidden, beside how well it was told. No file."""
        mask = {"kind": self.mask.kind, "window": list(self.mask.window), "ratio": self.mask.ratio}
        # What is not the usual test says so.
        order = {} if self.cfg.TEST.FRAME_ORDER == "forward" else {"frame_order": self.cfg.TEST.FRAME_ORDER}
        return {"mask": mask, **order}

    def report(  # type: ignore[override]
        self, result: Reconstruction, metrics: dict[str, Any], output: Path
    ) -> Path | None:
        """There is no page about a pre-training."""
        return None
