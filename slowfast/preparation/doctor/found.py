"""People and what was detected near them, on the key frames that both tables name: what all questions are asked of."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slowfast.datasets.annotations.people.key_frames import has_people
from slowfast.evaluation.diagnosis.distinct_boxes import distinct_boxes
from slowfast.evaluation.frames.matching import box_iou
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable, key_frame_codes

MOST_KEY_FRAMES = 1500  # that are looked at, evenly spread
MOST_BOXES = 100  # of a key frame, the best-scored
CLOSE = 0.5  # IoU from which a box has found a person


@dataclass(frozen=True)
class SharedFrames:
    """P annotated people, D detected boxes and R rows of them, on F key frames.

    person_frame, person_box: (P,), (P, 4) float64
    acts:          (P,) the class ids of each person, as a frozenset
    box_frame, box: (D,), (D, 4) float64 as the file has them
    row_box, row_label, row_score: (R,) which box, class id, score
    """

    person_frame: np.ndarray
    person_box: np.ndarray
    acts: tuple[frozenset[int], ...]
    box_frame: np.ndarray
    box: np.ndarray
    row_box: np.ndarray
    row_label: np.ndarray
    row_score: np.ndarray

    def nearest(self, change: Callable[[np.ndarray], np.ndarray] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """((P,) the box nearest to each person, -1 for none; (P,) their IoU). change: what the boxes are read as."""
        boxes = self.box if change is None else change(self.box)
        boxes = np.where(np.isfinite(boxes), boxes, 0.0)
        best, iou = np.full(len(self.person_frame), -1), np.zeros(len(self.person_frame))
        order = np.argsort(self.box_frame, kind="stable")
        first = np.searchsorted(self.box_frame[order], self.person_frame, side="left")
        last = np.searchsorted(self.box_frame[order], self.person_frame, side="right")
        for person, (start, stop) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
            if stop > start:
                near = order[start:stop]
                ious = box_iou(boxes[near], np.broadcast_to(self.person_box[person], (len(near), 4)))
                best[person], iou[person] = near[int(np.argmax(ious))], float(ious.max())
        return best, iou

    def share_found(self, change: Callable[[np.ndarray], np.ndarray] | None = None) -> float:
        """Of the people, those with a box of IoU CLOSE or more."""
        return float((self.nearest(change)[1] >= CLOSE).mean()) if len(self.person_frame) else 0.0


def shared_frames(truth: BoxTable, detections: BoxTable) -> SharedFrames:
    """What both tables have on the key frames with people that both name."""
    number = {name: i for i, name in enumerate(truth.videos)}
    own = np.array([number.get(name, -1) for name in detections.videos], dtype=np.int64)
    key = key_frame_codes(own[detections.video], detections.timestamp)
    truth = truth.rows(has_people(truth))
    both = np.intersect1d(truth.key_frame, key)
    if len(both) > MOST_KEY_FRAMES:
        both = both[np.linspace(0, len(both) - 1, MOST_KEY_FRAMES).round().astype(int)]
    keep = np.isin(key, both)
    rows, key = detections.rows(keep), key[keep]
    people, acts = _people(truth.rows(np.isin(truth.key_frame, both)))
    (row_box,), boxes = distinct_boxes(rows)
    first_row = np.full(len(boxes), len(rows), dtype=np.int64)
    np.minimum.at(first_row, row_box, np.arange(len(rows)))
    frame_of = key[first_row] if len(boxes) else np.zeros(0, dtype=np.int64)
    best = np.full(len(boxes), -np.inf)
    np.maximum.at(best, row_box, rows.scores)
    kept = _best_of_each(frame_of, best)
    place = np.full(len(boxes), -1)
    place[kept] = np.arange(len(kept))
    stays = place[row_box] >= 0
    return SharedFrames(
        np.searchsorted(both, people.key_frame),
        people.boxes.astype(np.float64),
        acts,
        np.searchsorted(both, frame_of[kept]),
        boxes.boxes[kept].astype(np.float64),
        place[row_box[stays]],
        rows.label[stays],
        rows.scores[stays],
    )


def _people(truth: BoxTable) -> tuple[BoxTable, tuple[frozenset[int], ...]]:
    (person,), people = distinct_boxes(truth)
    acts: list[set[int]] = [set() for _ in range(len(people))]
    for number, label in zip(person.tolist(), truth.label.tolist(), strict=True):
        if label != NO_LABEL:
            acts[number].add(label)
    return people, tuple(map(frozenset, acts))


def _best_of_each(frame: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Indices of the MOST_BOXES best-scored boxes of each key frame."""
    order = np.lexsort((-score, frame))
    place = np.arange(len(order)) - np.searchsorted(frame[order], frame[order])
    return np.sort(order[place < MOST_BOXES])
