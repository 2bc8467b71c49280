"""The end of a test on UCF101-24 or JHMDB-21: frame-mAP in every convention, and video-mAP of linked tubes."""

import numpy as np
from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.annotated_set import AnnotatedSet
from slowfast.evaluation.build import build_link_rules
from slowfast.evaluation.frames.conventions import all_conventions
from slowfast.evaluation.tubes.linking import link_tubes
from slowfast.evaluation.tubes.video_map import video_map
from slowfast.structures.box_table import BoxTable
from slowfast.utils.logging import get_logger
from slowfast.utils.progress import progress


def score_tubes(cfg: CfgNode, annotated: AnnotatedSet, detections: BoxTable) -> dict:
    """Log the results, and return them for metrics.json: {"conventions": {name: mAP}, "video_mAP": {...} or None}.

    Video-mAP asks when an action begins and ends. A model that was shown annotated frames only was told, so there is
    none then, unless all frames are annotated.
    """
    log = get_logger()
    conventions = all_conventions(
        annotated.groundtruth, detections, annotated.eval_label_map, matching=cfg.TUBES.MATCHING
    )
    for name, value in conventions.items():
        log.info("frame-mAP@0.5 %.4f | %s", value, name)
    if cfg.TUBES.FRAMES == "annotated" and cfg.TEST.DATASET == "ucf24":
        log.info("no video-mAP: the model saw annotated frames only (TUBES.FRAMES), which tell when an action goes on")
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
