"""The end of a test on a set annotated frame by frame: frame-mAP in every convention, and video-mAP of its tubes."""

import numpy as np
from fvcore.common.config import CfgNode

from slowfast.datasets.split import KeyFrameSplit
from slowfast.evaluation.build import build_link_rules
from slowfast.evaluation.frames.conventions import all_conventions
from slowfast.evaluation.tubes.linking import link_tubes
from slowfast.evaluation.tubes.video_map import video_map
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.utils.logging import get_logger
from slowfast.utils.progress import progress


def score_tubes(cfg: CfgNode, split: KeyFrameSplit, detections: BoxTable) -> dict:
    """Log the results, and return them for metrics.json: {"conventions": {name: mAP}, "video_mAP": {...} or None}.

    Video-mAP asks when an action begins and ends. A model that was shown annotated frames only was told, so there is
    none then, unless all frames are annotated.
    """
    log, annotated = get_logger(), split.annotated
    conventions = all_conventions(
        annotated.groundtruth, detections, annotated.eval_label_map, matching=cfg.TUBES.MATCHING
    )
    for name, value in conventions.items():
        log.info("frame-mAP@0.5 %.4f | %s", value, name)
    if split.no_video_map:
        log.info("no video-mAP: %s", split.no_video_map)
        return {"conventions": conventions, "video_mAP": None}
    shown = annotated.key_frames
    rules = build_link_rules(cfg)
    tubes = link_tubes(detections, rules, progress=lambda items: progress(items, what="linking tubes", unit="class"))
    result = video_map(
        annotated.tubes,
        tubes,
        annotated.eval_label_map,
        videos={shown.videos[i] for i in np.unique(shown.video)},
        ap_rule=cfg.TUBES.AP,
        linking=str(rules),
    )
    log.info("\n%s", result.table())
    return {"conventions": conventions, "video_mAP": result.report()}
