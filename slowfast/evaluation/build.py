"""From config to evaluator; the only file of this package that sees a config."""

from fvcore.common.config import CfgNode

from slowfast.evaluation.ava_evaluator import AvaEvaluator
from slowfast.structures.box_table import BoxTable
from slowfast.structures.label_map import LabelMap


def build_evaluator(
    cfg: CfgNode,
    *,
    groundtruth: BoxTable,
    label_map: LabelMap,
    model_label_map: LabelMap,
    exclusions: frozenset[tuple[str, int]],
) -> AvaEvaluator:
    """label_map: the classes evaluated; model_label_map: the classes of the model, in index order."""
    return AvaEvaluator(
        groundtruth=groundtruth,
        label_map=label_map,
        model_label_map=model_label_map,
        exclusions=exclusions,
        protocol=cfg.TEST.PROTOCOL,
        key_frames=cfg.TEST.KEY_FRAMES,
    )
