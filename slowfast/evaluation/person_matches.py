"""PersonMatches: detections beside the annotated people of their key frames, by the rules of `ava_map`. Numpy only.

`ava_map` needs one maximum per ground-truth box; to say why a detection is wrong takes its overlap with everybody.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from slowfast.evaluation.ava_map import OFFICIAL_CAP
from slowfast.evaluation.average_precision import average_precision
from slowfast.evaluation.key_frames import KeyFrameIndex
from slowfast.evaluation.matching import box_iou
from slowfast.structures.box_table import NO_LABEL, BoxTable
from slowfast.structures.label_map import LabelMap

NEAR_IOU = 0.1  # below it a detection has nothing to do with a person


@dataclass(frozen=True)
class PersonMatches:
    """P annotated people with G actions, D boxes found with R scored rows, on F key frames; C classes.

    index:                   the key frames that are scored
    people_frame, people_boxes: (P,), (P, 4) float64 xyxy in [0, 1]; sorted by key frame, then box
    truth_cell:              (G,) int64 sorted, person * C + class; a repeated annotation is there twice
    found_frame, found_boxes: (D,), (D, 4)
    pair_first:              (D + 1,); pairs pair_first[d] to pair_first[d + 1] are the people near box d, nearest first
    pair_person, pair_iou:   (N,), only pairs with IoU >= NEAR_IOU
    row_source:              (R,) row of the detection table
    row_box, row_class, row_score: (R,) index of the box, of the class, and the score
    row_person, row_iou:     (R,) the person with the row's action nearest to its box (-1 and 0: none near)
    row_hit:                 (R,) bool, the row is a true positive
    """

    label_map: LabelMap
    iou_threshold: float
    index: KeyFrameIndex
    people_frame: np.ndarray
    people_boxes: np.ndarray
    truth_cell: np.ndarray
    found_frame: np.ndarray
    found_boxes: np.ndarray
    pair_first: np.ndarray
    pair_person: np.ndarray
    pair_iou: np.ndarray
    row_source: np.ndarray
    row_box: np.ndarray
    row_class: np.ndarray
    row_score: np.ndarray
    row_person: np.ndarray
    row_iou: np.ndarray
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
    def row_cell(self) -> np.ndarray:
        """(R,) the ground truth that the row overlaps best, person * C + class; -1 where none is near."""
        return np.where(self.row_person >= 0, self.row_person * self.num_classes + self.row_class, -1)

    def nearest(self) -> tuple[np.ndarray, np.ndarray]:
        """((D,) the person nearest to each box, -1 for none; (D,) their IoU)."""
        has_pair = np.diff(self.pair_first) > 0
        first = self.pair_first[:-1][has_pair]
        person, iou = np.full(len(has_pair), -1), np.zeros(len(has_pair))
        person[has_pair], iou[has_pair] = self.pair_person[first], self.pair_iou[first]
        return person, iou


def match_people(
    groundtruth: BoxTable,
    detections: BoxTable,
    label_map: LabelMap,
    *,
    protocol: str = "official",
    key_frames: str = "all_included",
    exclusions: Iterable[tuple[str, int]] = (),
    iou_threshold: float = 0.5,
) -> PersonMatches:
    """Match as `ava_map.frame_map` with the same arguments does; it also checks the tables, so call it first.

    About 100 bytes a detection that counts.
    """
    has_box = np.isfinite(groundtruth.boxes).all(axis=1)
    index = KeyFrameIndex(groundtruth.rows(has_box) if key_frames == "gt_only" else groundtruth, excluded=exclusions)
    truth = _truth(groundtruth.rows(has_box), index, label_map)
    rows = _rows_that_count(detections, index, label_map, cap=OFFICIAL_CAP if protocol == "official" else 0)
    frame = _frames(detections, index)[rows]
    boxes = detections.boxes[rows].astype(np.float64)
    row_box, first = distinct_boxes(frame, boxes)
    pairs = _near_pairs(frame[first], boxes[first], truth["people_frame"], truth["people_boxes"])
    row_class = label_map.to_index(detections.label[rows])
    row_score = detections.score[rows].astype(np.float64)
    row_person, row_iou = _nearest_doing(row_box, row_class, pairs, truth["truth_cell"], label_map.num_classes)
    cell = np.where(row_iou >= iou_threshold, row_person * label_map.num_classes + row_class, -1)
    return PersonMatches(
        label_map=label_map,
        iou_threshold=iou_threshold,
        index=index,
        **truth,
        found_frame=frame[first],
        found_boxes=boxes[first],
        **pairs,
        row_source=rows,
        row_box=row_box,
        row_class=row_class,
        row_score=row_score,
        row_person=row_person,
        row_iou=row_iou,
        row_hit=best_of_each(cell, row_score),
    )


def best_of_each(cell: np.ndarray, score: np.ndarray) -> np.ndarray:
    """(R,) bool: the row with the highest score of each cell (the first of equal ones); cell -1 has none."""
    rows = np.flatnonzero(cell >= 0)
    order = rows[np.lexsort((-score[rows], cell[rows]))]
    best = np.zeros(len(cell), dtype=bool)
    best[order[np.diff(cell[order], prepend=-1) != 0]] = True
    return best


def ap_per_class(class_index: np.ndarray, score: np.ndarray, hit: np.ndarray, num_truth: np.ndarray) -> np.ndarray:
    """(R,) classes, scores and hits, (C,) ground-truth boxes -> (C,) AP as `ava_map` integrates it."""
    order = np.lexsort((score, class_index))
    score, hit = score[order], hit[order]
    cuts = np.cumsum(np.bincount(class_index, minlength=len(num_truth)))[:-1]
    per_class = zip(np.split(score, cuts), np.split(hit, cuts), num_truth, strict=True)
    return np.array([average_precision(scores, scores[hits], int(count)) for scores, hits, count in per_class])


def _frames(table: BoxTable, index: KeyFrameIndex) -> np.ndarray:
    """(R,) key-frame number of each row; negative where it is not scored."""
    return index.find(index.video_numbers(table.videos)[table.video], table.timestamp)


def _truth(table: BoxTable, index: KeyFrameIndex, label_map: LabelMap) -> dict[str, np.ndarray]:
    """People and their actions from rows with a box."""
    frame = _frames(table, index)
    rows = np.flatnonzero(frame >= 0)
    frame, boxes = frame[rows], table.boxes[rows].astype(np.float64)
    order = np.lexsort((*boxes.T[::-1], frame))
    rows, frame, boxes = rows[order], frame[order], boxes[order]
    person, first = distinct_boxes(frame, boxes)
    class_index = np.where(table.label[rows] == NO_LABEL, -1, label_map.to_index(table.label[rows]))
    cell = person * label_map.num_classes + class_index
    return {
        "people_frame": frame[first],
        "people_boxes": boxes[first],
        "truth_cell": np.sort(cell[class_index >= 0]),
    }


def _rows_that_count(table: BoxTable, index: KeyFrameIndex, label_map: LabelMap, *, cap: int) -> np.ndarray:
    """Rows of known class on scored key frames; with a cap the best of each key frame; then those with an area."""
    frame = _frames(table, index)
    rows = np.flatnonzero((frame >= 0) & (label_map.to_index(table.label) >= 0))
    if cap:
        order = rows[np.lexsort((table.label[rows], *-table.boxes[rows].T[::-1], -table.score[rows], frame[rows]))]
        place = np.arange(len(order)) - np.searchsorted(frame[order], frame[order])
        rows = np.sort(order[place < cap])
    boxes = table.boxes[rows]
    return rows[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]


def distinct_boxes(frame: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((R,) number of each row's box, (D,) a row that holds it); boxes are numbered by key frame, then place."""
    changes = np.ones(len(frame), dtype=bool)
    changes[1:] = (np.diff(frame) != 0) | (boxes[1:] != boxes[:-1]).any(axis=1)
    run = np.cumsum(changes) - 1  # the rows of a person lie together in all files we know: sort runs, not rows
    start = np.flatnonzero(changes)
    order = np.lexsort((*boxes[start].T[::-1], frame[start]))
    start = start[order]
    new = np.ones(len(start), dtype=bool)
    new[1:] = (np.diff(frame[start]) != 0) | (boxes[start[1:]] != boxes[start[:-1]]).any(axis=1)
    number = np.empty(len(start), dtype=np.int64)
    number[order] = np.cumsum(new) - 1
    return number[run], start[new]


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
        "pair_person": person[near],
        "pair_iou": iou[near],
    }


def _nearest_doing(
    row_box: np.ndarray, row_class: np.ndarray, pairs: dict[str, np.ndarray], truth_cell: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """For each row the nearest person who does its action: ((R,) person or -1, (R,) IoU or 0)."""
    person, iou = np.full(len(row_box), -1), np.zeros(len(row_box))
    first, last = pairs["pair_first"][row_box], pairs["pair_first"][row_box + 1]
    left, place = np.arange(len(row_box)), 0
    while len(left):
        left = left[first[left] + place < last[left]]
        pair = first[left] + place
        candidate = pairs["pair_person"][pair]
        does = np.isin(candidate * num_classes + row_class[left], truth_cell)
        person[left[does]], iou[left[does]] = candidate[does], pairs["pair_iou"][pair[does]]
        left, place = left[~does], place + 1
    return person, iou
