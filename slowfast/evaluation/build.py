"""From config to evaluator; the only file of this package that sees a config."""

from fvcore.common.config import CfgNode

from slowfast.evaluation.frames.conventions import FrameConvention
from slowfast.evaluation.frames.evaluator import DetectionEvaluator
from slowfast.evaluation.tubes.linking import LinkRules
from slowfast.evaluation.videos.evaluator import ClassificationEvaluator
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.annotations.labelled_videos import LabelledVideos

# PySlowFast's names of the ways to take the views of a video together -> ours.
ENSEMBLES = {"sum": "probabilities", "max": "max_probabilities", "logits": "logits"}


def build_evaluator(
    cfg: CfgNode,
    *,
    groundtruth: BoxTable,
    label_map: LabelMap,
    model_label_map: LabelMap,
    exclusions: frozenset[tuple[str, float]],
    frame_by_frame: bool,
) -> DetectionEvaluator:
    """label_map: the classes evaluated; model_label_map: the classes of the model, in index order;
    frame_by_frame: score in the convention that TUBES names, not by AVA's protocol."""
    return DetectionEvaluator(
        groundtruth=groundtruth,
        label_map=label_map,
        model_label_map=model_label_map,
        exclusions=exclusions,
        protocol=cfg.TEST.PROTOCOL,
        key_frames=cfg.TEST.KEY_FRAMES,
        convention=FrameConvention(cfg.TUBES.FRAMES, cfg.TUBES.AP, cfg.TUBES.MATCHING) if frame_by_frame else None,
    )


def build_classification_evaluator(cfg: CfgNode, videos: LabelledVideos, *, num_views: int) -> ClassificationEvaluator:
    """num_views: of each video"""
    return ClassificationEvaluator(
        videos,
        num_views=num_views,
        ensemble=ENSEMBLES[cfg.DATA.ENSEMBLE_METHOD],
    )


def build_link_rules(cfg: CfgNode) -> LinkRules:
    t = cfg.TUBES
    return LinkRules(
        method=t.LINKING,
        link_iou=t.LINK_IOU,
        overlap_weight=t.OVERLAP_WEIGHT,
        max_gap=t.MAX_GAP,
        nms_iou=t.NMS_IOU,
        top_k=t.TOP_K,
        min_box_score=t.MIN_BOX_SCORE,
        min_score=t.MIN_SCORE,
        min_length=t.MIN_LENGTH,
        tube_nms_iou=t.TUBE_NMS_IOU,
        trim_smoothness=t.TRIM_SMOOTHNESS if t.TRIM else None,
    )
