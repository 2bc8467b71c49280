"""From ground truth and detections to everything a report shows. Numpy only."""

from collections.abc import Iterable

from slowfast.evaluation.diagnosis.actor_curves import FoundPeople, actor_curve, match_found_people, threshold_sweep
from slowfast.evaluation.diagnosis.breakdown import class_curves, confusion, parts_by_crowd, parts_by_size
from slowfast.evaluation.diagnosis.error_analysis import ErrorAnalysis
from slowfast.evaluation.diagnosis.key_frame_verdicts import KeyFrameVerdict, key_frame_verdicts
from slowfast.evaluation.diagnosis.person_matches import match_people
from slowfast.evaluation.frames.frame_map import ScoredKeyFrames, ScoringRules, frame_map
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.outputs.diagnosis import Diagnosis

SWEPT_NMS_IOU = 0.5


def diagnose(
    groundtruth: BoxTable,
    detections: BoxTable,
    label_map: LabelMap,
    *,
    people: BoxTable | None,
    boxes_given: bool = False,
    protocol: str = "official",
    key_frames: str = "all_included",
    exclusions: Iterable[tuple[str, float]] = (),
    iou_threshold: float = 0.5,
    ap_rule: str = "voc_all_point",
    matching: str = "best",
) -> tuple[Diagnosis, list[KeyFrameVerdict]]:
    """What is wrong with `detections`, and the verdict on every scored key frame.

    people:      rows of the boxes found with p(actor), or None where that was not kept
    boxes_given: the model was told where people are, so there is no threshold to sweep
    The rest is as in `frame_map`, which is run first and raises ValueError for tables that cannot be scored.
    Besides the tables it needs up to 65 bytes a detection.
    """
    scored: ScoredKeyFrames = {
        "key_frames": key_frames,
        "exclusions": list(exclusions),
        "iou_threshold": iou_threshold,
    }
    rules: ScoringRules = {"protocol": protocol, "ap_rule": ap_rule, "matching": matching}
    frame_map(groundtruth, detections, label_map, **rules, **scored)
    found = FoundPeople(detections, people)
    sweeps = tuple(
        threshold_sweep(found, groundtruth, label_map, nms_iou=nms_iou, rules=rules, scored=scored)
        for nms_iou in (() if boxes_given else (0.0, SWEPT_NMS_IOU))
    )
    actor = actor_curve(match_found_people(found, groundtruth, scored), score=found.score_name)
    del found
    matches = match_people(groundtruth, detections, label_map, **rules, **scored)
    errors = ErrorAnalysis(matches)
    diagnosis = Diagnosis(
        mean_ap=errors.mean_ap,
        classes=class_curves(matches),
        errors=errors.costs(),
        by_size=parts_by_size(matches),
        by_crowd=parts_by_crowd(matches),
        confusion=confusion(matches),
        actor=actor,
        sweeps=sweeps,
    )
    return diagnosis, key_frame_verdicts(matches, errors.kind)
