"""How well each key frame went, so that the worst and the best can be looked at. Numpy only."""

from dataclasses import dataclass

import numpy as np

from slowfast.evaluation.diagnosis.distinct_boxes import pieces
from slowfast.evaluation.diagnosis.error_analysis import NAMES, Kind
from slowfast.evaluation.diagnosis.person_matches import PersonMatches

TOLD = 4  # things that a verdict tells, at most
WORTH_TELLING = 0.3  # score from which a false detection is told


@dataclass(frozen=True)
class KeyFrameVerdict:
    """One scored key frame with people.

    error:  per annotated person, the sum of 1 - score over its actions (score 0 where nobody found it) and of the
            scores of all false detections; 0 is perfect
    hit:    mean score of what people do, 0 where nobody found it; 1 is perfect
    people, found: annotated people, and how many of them a box found
    missed: sentences about what was not found, or found with at most 0.5
    false:  sentences about false detections, dearest first
    """

    video: str
    timestamp: float
    error: float
    hit: float
    people: int
    found: int
    missed: tuple[str, ...]
    false: tuple[str, ...]


def key_frame_verdicts(matches: PersonMatches, kind: np.ndarray) -> list[KeyFrameVerdict]:
    """Every scored key frame that has people with actions, in key-frame order; kind: (R,) of `error_analysis`."""
    m = matches
    cells, counts = np.unique(m.truth_cell, return_counts=True)
    hit_score = np.zeros(len(cells))
    hits = np.flatnonzero(m.row_hit)
    hit_score[np.searchsorted(cells, m.cells(hits))] = m.row_score[hits]
    truth_frame = m.people_frame[cells // m.num_classes]
    frames = len(m.index)
    loss = np.bincount(truth_frame, weights=counts - hit_score, minlength=frames)
    for rows in pieces(len(kind)):
        false_score = np.where(kind[rows] != Kind.HIT, m.row_score[rows], 0)
        loss += np.bincount(m.found_frame[m.row_box[rows]], weights=false_score, minlength=frames)
    score_sum = np.bincount(truth_frame, weights=hit_score, minlength=frames)
    actions = np.bincount(truth_frame, minlength=frames)
    people = np.bincount(m.people_frame, minlength=frames)
    is_found = np.zeros(len(m.people_frame), dtype=bool)
    is_found[m.pair_person[m.pair_iou >= m.iou_threshold]] = True
    found = np.bincount(m.people_frame[is_found], minlength=frames)
    shown = np.flatnonzero(actions)
    unsure = np.flatnonzero(hit_score <= 0.5)
    misses = _Ranked(unsure, truth_frame[unsure], 1 - hit_score[unsure], num_frames=frames)
    sure = np.flatnonzero((kind != Kind.HIT) & (m.row_score >= WORTH_TELLING))
    wrong = _Ranked(sure, m.found_frame[m.row_box[sure]], m.row_score[sure], num_frames=frames)

    def missed_text(k: int) -> str:
        name, score = m.label_map.names[cells[k] % m.num_classes], hit_score[k]
        return (
            f"{name}: {score:.2f}"
            if score
            else f"{name}: not found"
            if is_found[cells[k] // m.num_classes]
            else f"{name}: nobody found"
        )

    def false_text(r: int) -> str:
        return f"{m.label_map.names[m.row_class[r]]}: {m.row_score[r]:.2f} ({NAMES[Kind(kind[r])]})"

    return [
        KeyFrameVerdict(
            *m.index.name_of(int(f)),
            error=float(loss[f] / people[f]),
            hit=float(score_sum[f] / actions[f]),
            people=int(people[f]),
            found=int(found[f]),
            missed=tuple(map(missed_text, misses.of(f))),
            false=tuple(map(false_text, wrong.of(f))),
        )
        for f in shown.tolist()
    ]


class _Ranked:
    """Items of key frames, each key frame's largest first: (n,) items, the key frame and the value of each."""

    def __init__(self, items: np.ndarray, frame: np.ndarray, value: np.ndarray, *, num_frames: int) -> None:
        order = np.lexsort((-value, frame))
        self._items = items[order]
        self._first = np.searchsorted(frame[order], np.arange(num_frames + 1))

    def of(self, frame: int) -> list[int]:
        low, high = self._first[frame], self._first[frame + 1]
        return self._items[low : min(high, low + TOLD)].tolist()
