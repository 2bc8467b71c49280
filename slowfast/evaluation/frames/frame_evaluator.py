"""FrameEvaluator: as AvaEvaluator, for sets annotated frame by frame: frame-mAP in a named convention."""

from slowfast.evaluation.frames.conventions import FRAMES, FrameConvention, conventional_frame_map
from slowfast.evaluation.frames.evaluator import AvaEvaluator
from slowfast.evaluation.frames.result import FrameMap
from slowfast.structures.box_table import BoxTable
from slowfast.structures.label_map import LabelMap


class FrameEvaluator(AvaEvaluator):
    """Collects and gathers as AvaEvaluator does; `convention` decides which frames count and how AP is integrated."""

    def __init__(
        self, *, groundtruth: BoxTable, label_map: LabelMap, model_label_map: LabelMap, convention: FrameConvention
    ) -> None:
        super().__init__(
            groundtruth=groundtruth,
            label_map=label_map,
            model_label_map=model_label_map,
            protocol="uncapped",
            key_frames=FRAMES[convention.frames],
        )
        self.convention = convention

    def score(self, rows: BoxTable) -> FrameMap:
        return conventional_frame_map(self.groundtruth, rows, self.label_map, self.convention)
