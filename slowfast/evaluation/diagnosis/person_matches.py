"""PersonMatches: detections beside the annotated people of their key frames, by the rules of `frame_map`. Numpy only.

`frame_map` needs one maximum per ground-truth box; to say why a detection is wrong takes its overlap with everybody.
Rows are kept by class and score, so that the AP of any part of them needs no sorting; a row takes 15 bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from slowfast.evaluation.average_precision import AP_RULES
from slowfast.evaluation.diagnosis.distinct_boxes import distinct_boxes, pieces
from slowfast.evaluation.frames.frame_map import OFFICIAL_CAP
from slowfast.evaluation.frames.key_frame_index import UNLISTED, KeyFrameIndex
from slowfast.evaluation.frames.matching import box_iou
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable
from slowfast.structures.annotations.label_map import LabelMap

NEAR_IOU = 0.1  # below it a detection has nothing to do with a person


@dataclass(frozen=True)
class PersonMatches:
    """P annotated people with G actions, D boxes found with R scored rows, on F key frames; C classes.

    index:                   the key frames that are scored
    people_frame, people_boxes: (P,), (P, 4) float64 xyxy in [0, 1]; sorted by key frame, then box
    truth_cell:              (G,) int64 sorted, person * C + class; a repeated annotation is there twice
    found_frame, found_boxes: (D,), (D, 4); the frame is negative where no row of the box is scored
    pair_first:              (D + 1,); pairs pair_first[d] to pair_first[d + 1] are the people near box d, nearest first
    pair_person, pair_iou:   (N + 1,), only pairs with IoU >= NEAR_IOU; the last is nobody: -1 and 0
    row_box, row_class, row_score: (R,) index of the box, of the class, and the score as in the table; rows are sorted
                             by class, then score, rising, then place in the table
    row_pair:                (R,) int32, the pair of the person whom the row found, else of the nearest with the row's
                             action; -1: none near
    row_hit:                 (R,) bool, the row is a true positive
    ap_rule:                 one of `average_precision.AP_RULES`
    """

    label_map: LabelMap
    iou_threshold: float
    ap_rule: str
    index: KeyFrameIndex
    people_frame: np.ndarray
    people_boxes: np.ndarray
    truth_cell: np.ndarray
    found_frame: np.ndarray
    found_boxes: np.ndarray
    pair_first: np.ndarray
    pair_person: np.ndarray
    pair_iou: np.ndarray
    row_box: np.ndarray
    row_class: np.ndarray
    row_score: np.ndarray
    row_pair: np.ndarray
    row_hit: np.ndarray

    @property
    def num_classes(self) -> int:
        return self.label_map.num_classes

    @property
    def truth_person(self) -> np.ndarray:
        return self.truth_cell // self.num_classes

    @property
    def truth_class(self) -> np.ndarray:
        return self.truth_cell % self.num_classes

    @property
    def row_person(self) -> np.ndarray:
        """(R,) int32 the person of `row_pair`, -1 for none."""
        return self.pair_person[self.row_pair]

    def class_rows(self, class_index: int) -> slice:
        """The rows of one class."""
        return slice(*np.searchsorted(self.row_class, [class_index, class_index + 1]).tolist())

    def cells(self, rows: np.ndarray) -> np.ndarray:
        """(n,) indices of rows -> (n,) the ground truth that each is about, person * C + class; -1 for none."""
        person = self.pair_person[self.row_pair[rows]].astype(np.int64)
        return np.where(person >= 0, person * self.num_classes + self.row_class[rows], -1)

    def nearest(self) -> tuple[np.ndarray, np.ndarray]:
        """((D,) the person nearest to each box, -1 for none; (D,) their IoU)."""
        first = np.where(np.diff(self.pair_first) > 0, self.pair_first[:-1], -1)
        return self.pair_person[first], self.pair_iou[first]

    def average_precisions(
        self, class_index: np.ndarray, score: np.ndarray, hit: np.ndarray, num_truth: np.ndarray
    ) -> np.ndarray:
        """(n,) classes, scores and hits of some rows, (C,) ground-truth boxes -> (C,) AP as `frame_map` integrates it.

        The rows come by class; where they are also sorted by score, nothing is sorted again.
        """
        cuts = np.searchsorted(class_index, np.arange(1, len(num_truth)))
        per_class = zip(np.split(score, cuts), np.split(hit, cuts), num_truth, strict=True)
        return np.array([self._ap(scores, hits, int(count)) for scores, hits, count in per_class])

    def _ap(self, score: np.ndarray, hit: np.ndarray, num_truth: int) -> float:
        if (score[1:] < score[:-1]).any():
            order = np.argsort(score, kind="stable")
            score, hit = score[order], hit[order]
        return AP_RULES[self.ap_rule](score, score[hit], num_truth)


def match_people(
    groundtruth: BoxTable,
    detections: BoxTable,
    label_map: LabelMap,
    *,
    protocol: str = "official",
    key_frames: str = "all_included",
    exclusions: Iterable[tuple[str, float]] = (),
    iou_threshold: float = 0.5,
    ap_rule: str = "voc_all_point",
    matching: str = "best",
) -> PersonMatches:
    """Match as `frame_map` with the same arguments does; it also checks the tables, so call it first."""
    has_box = np.isfinite(groundtruth.boxes).all(axis=1)
    index = KeyFrameIndex(groundtruth.rows(has_box) if key_frames == "gt_only" else groundtruth, excluded=exclusions)
    truth = _truth(groundtruth.rows(has_box), index, label_map)
    (row_box,), found = distinct_boxes(detections)
    found_frame, found_boxes = _frames(found, index), found.boxes.astype(np.float64)
    class_index = _classes_that_count(
        detections, found_frame, row_box, label_map, cap=OFFICIAL_CAP if protocol == "official" else 0
    )
    rows = _by_class_and_score(class_index, detections.scores, label_map.num_classes)
    row_class, row_box = class_index[rows], row_box[rows]
    scored = np.zeros(len(found), dtype=bool)
    scored[row_box] = True
    found_frame[~scored] = UNLISTED
    pairs = _near_pairs(found_frame, found_boxes, truth["people_frame"], truth["people_boxes"])
    row_pair = _nearest_doing(row_box, row_class, pairs, _does(truth, label_map.num_classes))
    matches = PersonMatches(
        label_map=label_map,
        iou_threshold=iou_threshold,
        ap_rule=ap_rule,
        index=index,
        **truth,
        found_frame=found_frame,
        found_boxes=found_boxes,
        **pairs,
        row_box=row_box,
        row_class=row_class,
        row_score=detections.scores[rows],
        row_pair=row_pair,
        row_hit=np.zeros(len(rows), dtype=bool),
    )
    (_mark_best if matching == "best" else _mark_remaining)(matches)
    return matches


def best_of_each(cell: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Indices of the entries with the highest score of each cell (the first of equal ones); cell (n,), score (n,)."""
    order = np.lexsort((-score, cell))
    return order[np.diff(cell[order], prepend=-1) != 0]


def _mark_best(matches: PersonMatches) -> None:
    """A detection has one chance, its nearest person; of several that have the same the best-scored is the hit."""
    close = np.append(matches.pair_iou[:-1] >= matches.iou_threshold, False)
    rows = np.flatnonzero(close[matches.row_pair])
    matches.row_hit[rows[best_of_each(matches.cells(rows), matches.row_score[rows])]] = True


def _mark_remaining(matches: PersonMatches) -> None:
    """By descending score a detection finds the nearest person with its action who is not found yet.

    In each round the best row left of every (key frame, class) finds somebody, so there are as many rounds as one
    class has people on a key frame, at most. Ties as in `remaining_matching`.
    """
    m = matches
    close = np.append(m.pair_iou[:-1] >= m.iou_threshold, False)
    rows = np.flatnonzero(close[m.row_pair])
    group = m.found_frame[m.row_box[rows]].astype(np.int64) * m.num_classes + m.row_class[rows]
    order = np.lexsort((-m.row_box[rows], -m.row_score[rows].astype(np.float64), group))
    rows, group = rows[order], group[order]
    left = np.bincount(m.truth_cell, minlength=len(m.people_boxes) * m.num_classes)
    pair = m.row_pair[rows].astype(np.int64)
    while len(rows):
        best = np.diff(group, prepend=-1) != 0
        m.row_hit[rows[best]] = True
        m.row_pair[rows[best]] = pair[best]
        left[m.pair_person[pair[best]] * np.int64(m.num_classes) + m.row_class[rows[best]]] -= 1
        rows, group, pair = rows[~best], group[~best], pair[~best]
        pair = _next_free(m, rows, pair, left, close)
        rows, group, pair = rows[pair >= 0], group[pair >= 0], pair[pair >= 0]


def _next_free(m: PersonMatches, rows: np.ndarray, pair: np.ndarray, left: np.ndarray, close: np.ndarray) -> np.ndarray:
    """The first pair of each row, from `pair` on, whose person is still to be found with the row's action; -1: none."""
    pair, last = pair.copy(), m.pair_first[m.row_box[rows] + 1]
    waiting = np.arange(len(rows))
    while len(waiting):
        cell = m.pair_person[pair[waiting]] * np.int64(m.num_classes) + m.row_class[rows[waiting]]
        waiting = waiting[left[cell] <= 0]
        pair[waiting] += 1
        over = (pair[waiting] >= last[waiting]) | ~close[pair[waiting]]
        pair[waiting[over]] = -1
        waiting = waiting[~over]
    return pair


def _frames(table: BoxTable, index: KeyFrameIndex) -> np.ndarray:
    """(R,) int32 key-frame number of each row; negative where it is not scored."""
    return index.find(index.video_numbers(table.videos)[table.video], table.timestamp)


def _truth(table: BoxTable, index: KeyFrameIndex, label_map: LabelMap) -> dict[str, np.ndarray]:
    """People and their actions from rows with a box."""
    table = table.rows(_frames(table, index) >= 0)
    (person,), people = distinct_boxes(table)
    frame = _frames(people, index)
    order = np.argsort(frame, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    class_index = np.where(table.label == NO_LABEL, -1, label_map.to_index(table.label))
    cell = place[person] * label_map.num_classes + class_index
    return {
        "people_frame": frame[order],
        "people_boxes": people.boxes[order].astype(np.float64),
        "truth_cell": np.sort(cell[class_index >= 0]),
    }


def _does(truth: dict[str, np.ndarray], num_classes: int) -> np.ndarray:
    """(P, C) bool: who does what."""
    does = np.zeros((len(truth["people_frame"]), num_classes), dtype=bool)
    does.reshape(-1)[truth["truth_cell"]] = True
    return does


def _classes_that_count(
    table: BoxTable, found_frame: np.ndarray, row_box: np.ndarray, label_map: LabelMap, *, cap: int
) -> np.ndarray:
    """(R,) int16 class of each row, -1 where it does not count: key frame not scored, unknown class, beyond the `cap`
    best rows of its key frame (0: no cap), no area."""
    class_index = np.empty(len(table), dtype=np.int16)
    for piece in pieces(len(table)):
        known = label_map.to_index(table.label[piece])
        class_index[piece] = np.where(found_frame[row_box[piece]] >= 0, known, -1)
    if cap:
        rows = np.flatnonzero(class_index >= 0)
        for chosen in _whole_key_frames(rows, found_frame[row_box[rows]]):
            frame = found_frame[row_box[chosen]]
            order = np.lexsort((table.label[chosen], -row_box[chosen], -table.scores[chosen], frame))
            place = np.arange(len(order)) - np.searchsorted(frame[order], frame[order])
            class_index[chosen[order[place >= cap]]] = -1
    for piece in pieces(len(table)):
        boxes = table.boxes[piece]
        class_index[piece][(boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])] = -1
    return class_index


def _whole_key_frames(rows: np.ndarray, frame: np.ndarray) -> Iterable[np.ndarray]:
    """The rows in pieces, none of which splits a key frame; frame (n,) is that of each row."""
    if (frame[1:] < frame[:-1]).any():
        order = np.argsort(frame, kind="stable")
        rows, frame = rows[order], frame[order]
    cuts = np.searchsorted(frame, frame[[piece.start for piece in pieces(len(rows))][1:]])
    return np.split(rows, np.unique(cuts))


def _by_class_and_score(class_index: np.ndarray, score: np.ndarray, num_classes: int) -> np.ndarray:
    """(n,) int32: the rows that have a class, by class, then score, then place."""
    chosen = [np.zeros(0, dtype=np.int32)]
    for c in range(num_classes):
        rows = np.flatnonzero(class_index == c).astype(np.int32)
        chosen.append(rows[np.argsort(score[rows], kind="stable")])
    return np.concatenate(chosen)


def _near_pairs(
    found_frame: np.ndarray, found_boxes: np.ndarray, people_frame: np.ndarray, people_boxes: np.ndarray
) -> dict[str, np.ndarray]:
    """All (box found, person of its key frame) with IoU >= NEAR_IOU, by box, nearest first (equal: first person)."""
    low = np.searchsorted(people_frame, found_frame, side="left")
    count = np.searchsorted(people_frame, found_frame, side="right") - low
    box = np.repeat(np.arange(len(found_frame)), count)
    within = np.arange(len(box)) - np.repeat(np.cumsum(count) - count, count)
    person = np.repeat(low, count) + within
    iou = box_iou(found_boxes[box], people_boxes[person])
    near = np.flatnonzero(iou >= NEAR_IOU)
    near = near[np.lexsort((person[near], -iou[near], box[near]))]
    counts = np.bincount(box[near], minlength=len(found_frame))
    return {
        "pair_first": np.concatenate([[0], np.cumsum(counts)]),
        "pair_person": np.append(person[near], -1).astype(np.int32),
        "pair_iou": np.append(iou[near], 0.0),
    }


def _nearest_doing(
    row_box: np.ndarray, row_class: np.ndarray, pairs: dict[str, np.ndarray], does: np.ndarray
) -> np.ndarray:
    """(R,) int32: for each row the pair of the nearest person who does its action, -1 for none."""
    row_pair = np.full(len(row_box), -1, dtype=np.int32)
    for piece in pieces(len(row_box)):
        first, last = pairs["pair_first"][row_box[piece]], pairs["pair_first"][row_box[piece] + 1]
        left, found = np.arange(len(first)), row_pair[piece]
        pair = first
        while len(left):
            left = left[pair[left] < last[left]]
            right = does[pairs["pair_person"][pair[left]], row_class[piece][left]]
            found[left[right]] = pair[left[right]]
            left = left[~right]
            pair[left] += 1
    return row_pair
