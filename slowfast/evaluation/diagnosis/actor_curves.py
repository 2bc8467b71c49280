"""Finding people: precision against recall, and what a threshold on the actor score would do. Numpy only."""

import numpy as np

from slowfast.evaluation.average_precision import precision_and_recall, precision_recall
from slowfast.evaluation.diagnosis.distinct_boxes import distinct_boxes
from slowfast.evaluation.diagnosis.person_matches import PersonMatches, match_people
from slowfast.evaluation.frames.evaluator import PERSON, person_groundtruth
from slowfast.evaluation.frames.frame_map import ALL_KEY_FRAMES, ScoredKeyFrames, ScoringRules, frame_map
from slowfast.evaluation.frames.matching import box_iou
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.outputs.diagnosis import ActorCurve, ThresholdSweep

THRESHOLDS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
ACTOR_SCORE, BEST_ACTION_SCORE = "p(actor)", "best action score"


class FoundPeople:
    """The people in a table of detections, each box of a key frame once, scored by p(actor).

    people: rows of PERSON with p(actor), every box of `detections` among them; None where p(actor) was not kept: then
            the best action score of a box stands for it, and `score_name` says so.
    """

    def __init__(self, detections: BoxTable, people: BoxTable | None) -> None:
        self.detections = detections
        self.score_name = BEST_ACTION_SCORE if people is None else ACTOR_SCORE
        source = detections if people is None else people
        numbers, boxes = distinct_boxes(detections) if people is None else distinct_boxes(detections, people)
        self.row_person = numbers[0]
        score = np.full(len(boxes), -np.inf)
        np.maximum.at(score, numbers[-1], source.scores.astype(np.float64))
        missing = int(np.isneginf(score).sum())
        if missing:
            raise ValueError(
                f"{missing} of {len(boxes)} boxes with detections are not in the table of people: "
                "the two were not written by the same test"
            )
        label = np.full(len(boxes), PERSON.ids[0], dtype=np.int32)
        self.table = BoxTable(boxes.videos, boxes.video, boxes.timestamp, boxes.boxes, label, score)

    def suppressed(self, iou_threshold: float) -> np.ndarray:
        """(n,) bool, people whom greedy suppression drops: a better-scored one overlaps by more than the threshold."""
        table = self.table
        order = np.lexsort((*table.boxes.T[::-1], -table.scores, table.key_frame))
        key_frame, boxes = table.key_frame[order], table.boxes[order].astype(np.float64)
        rank = np.arange(len(order)) - np.searchsorted(key_frame, key_frame)
        rest = np.searchsorted(key_frame, key_frame, side="right") - np.arange(len(order)) - 1
        better = np.repeat(np.arange(len(order)), rest)
        worse = better + 1 + np.arange(len(better)) - np.repeat(np.cumsum(rest) - rest, rest)
        close = box_iou(boxes[better], boxes[worse]) > iou_threshold
        better, worse = better[close], worse[close]
        dropped = np.zeros(len(order), dtype=bool)
        for place in np.unique(rank[better]):  # all key frames at once, their best people first
            drops = (rank[better] == place) & ~dropped[better]
            dropped[worse[drops]] = True
        result = np.empty(len(order), dtype=bool)
        result[order] = dropped
        return result


def match_found_people(
    found: FoundPeople, groundtruth: BoxTable, scored: ScoredKeyFrames = ALL_KEY_FRAMES
) -> PersonMatches:
    """`match_people` of the boxes alone, whatever the people do."""
    return match_people(person_groundtruth(groundtruth), found.table, PERSON, protocol="uncapped", **scored)


def actor_curve(matches: PersonMatches, *, score: str) -> ActorCurve:
    """Precision against recall of `match_found_people`; score: what people are ranked by."""
    count = len(matches.truth_cell)
    ap = matches.average_precisions(matches.row_class, matches.row_score, matches.row_hit, np.array([count]))
    curve = precision_recall(matches.row_score, matches.row_score[matches.row_hit], count)
    return ActorCurve(score, float(ap[0]), count, len(matches.row_score), *curve)


def threshold_sweep(
    found: FoundPeople,
    groundtruth: BoxTable,
    label_map: LabelMap,
    *,
    nms_iou: float,
    rules: ScoringRules,
    scored: ScoredKeyFrames = ALL_KEY_FRAMES,
) -> ThresholdSweep:
    """Score again with the people of at least each of THRESHOLDS; before it suppress with `nms_iou` (0: do not).

    rules: those of the actions; people are found by AVA's, whatever they are
    """
    people = person_groundtruth(groundtruth)
    kept = np.ones(len(found.table), dtype=bool) if nms_iou == 0 else ~found.suppressed(nms_iou)
    points: list[tuple[float, float, float]] = []
    for threshold in THRESHOLDS:
        left = kept & (found.table.scores >= threshold)
        if points and (left == kept).all():
            points.append(points[-1])
            continue
        kept = left
        rows = found.detections if kept.all() else found.detections.rows(kept[found.row_person])
        mean_ap = frame_map(groundtruth, rows, label_map, **rules, **scored).mAP if len(rows) else 0.0
        del rows  # before the next threshold makes others
        matches = match_people(people, found.table.rows(kept), PERSON, protocol="uncapped", **scored)
        hits, boxes = int(matches.row_hit.sum()), len(matches.row_hit)
        points.append((*precision_and_recall(hits, boxes, len(matches.truth_cell)), mean_ap))
    precision, recall, mean_aps = np.array(points).T
    return ThresholdSweep(nms_iou, np.array(THRESHOLDS), precision, recall, mean_aps)
