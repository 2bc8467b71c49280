"""Frame-mAP once more, in plain Python, key frame by key frame: the oracle for `slowfast.evaluation.frames.frame_map`."""

from collections import defaultdict

import numpy as np

from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable


def _rows(table: BoxTable) -> list[tuple]:
    scores = [1.0] * len(table) if table.score is None else table.score.tolist()
    names = [table.videos[i] for i in table.video]
    return list(
        zip(names, table.timestamp.tolist(), map(tuple, table.boxes.tolist()), table.label, scores, strict=True)
    )


def _iou(a: tuple, b: tuple) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inter = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    return inter / union if union > 0 else 0.0


def expected_average_precision(marks: list[tuple[float, bool]], instances: int) -> float:
    """The mean over all orders of tied rows. marks: (score, is it a true positive) of all detections of a class.

    Rows are walked from the last, with the probability of every (hits of this score left, best precision so far): of
    x rows with c hits, any order alike, the last one is a hit with probability c / x.
    """
    area, detections, hits = 0.0, len(marks), sum(hit for _, hit in marks)
    best = {0.0: 1.0}  # best precision of the rows walked: its probability
    for score in sorted({score for score, _ in marks}):
        tied = [hit for other, hit in marks if other == score]
        detections, hits = detections - len(tied), hits - sum(tied)
        states = {(sum(tied), precision): chance for precision, chance in best.items()}
        for x in range(len(tied), 0, -1):
            following: dict[tuple[int, float], float] = defaultdict(float)
            for (c, precision), chance in states.items():
                if c < x:
                    following[c, precision] += chance * (x - c) / x
                if c:
                    higher = max(precision, (hits + c) / (detections + x))
                    area += chance * c / x * higher
                    following[c - 1, higher] += chance * c / x
            states = following
        best = defaultdict(float)
        for (_, precision), chance in states.items():
            best[precision] += chance
    return area / instances


def _marks_of_cell(found: list[tuple], boxes: list[tuple]) -> list[tuple[float, bool]]:
    """Greedy matching of one class on one key frame. found: (score, box)."""
    marks, taken, boxes = [], set(), sorted(boxes)
    for score, box in sorted(found, reverse=True):
        overlaps = [_iou(box, other) for other in boxes]
        best = overlaps.index(max(overlaps)) if boxes else -1
        hit = best >= 0 and overlaps[best] >= 0.5 and best not in taken
        if hit:
            taken.add(best)
        marks.append((score, hit))
    return marks


def reference_ap(
    groundtruth: BoxTable,
    detections: BoxTable,
    class_ids: tuple[int, ...],
    *,
    cap: int | None,
    gt_only: bool = False,
    exclusions: tuple = (),
) -> list[float]:
    """AP of each class, nan where it has no ground truth."""
    boxes_of, people_on, found_on = defaultdict(list), defaultdict(int), defaultdict(list)
    for video, time, box, label, _ in _rows(groundtruth):
        people_on[video, time] += not np.isnan(box[0])
        if label != NO_LABEL:
            boxes_of[video, time, label].append(box)
    for video, time, box, label, score in _rows(detections):
        if label in class_ids:
            found_on[video, time].append((score, box, label))
    marks, instances = defaultdict(list), defaultdict(int)
    for video, time in people_on:
        if (video, time) in exclusions or (gt_only and not people_on[video, time]):
            continue
        ranked = sorted(found_on[video, time], key=lambda row: (-row[0], [-x for x in row[1]], row[2]))[:cap]
        solid = [row for row in ranked if row[1][2] > row[1][0] and row[1][3] > row[1][1]]
        for label in class_ids:
            boxes = boxes_of[video, time, label]
            instances[label] += len(boxes)
            marks[label] += _marks_of_cell([row[:2] for row in solid if row[2] == label], boxes)
    return [expected_average_precision(marks[i], instances[i]) if instances[i] else float("nan") for i in class_ids]
