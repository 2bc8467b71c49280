"""Where errors come from, and the mAP that each kind costs (after TIDE, Bolya et al., ECCV 2020). Numpy only.

Every detection that counts (see `frame_map`) is one of
    hit               the best-scored detection of an annotated (person, action) with IoU >= threshold (0.5)
    duplicate         finds a (person, action) that a better-scored detection has found already
    wrong action      the box is right (IoU >= threshold with somebody), but that person does not do this
    wrong box         someone who does this is near, but the box does not fit: IoU in [0.1, threshold)
    wrong box and action   somebody is near (IoU in [0.1, threshold)) who does not do this
    background        nobody is there: IoU < 0.1 with everyone
and a (person, action) that no detection hit is `missed` unless mending a wrong box or a wrong action would find it.

Mended alone, by kind, and scored by the same rules again:
    missed person     the ground truth nobody came near is taken out; a class of which nothing is left counts as 1
    wrong box         the best-scored such detection of an unfound (person, action) gets its box, the others go
    wrong action      the false actions on a person's box take that person's unfound actions, best score first; the
                      others go
    the others        the detections go
Gains do not add up to 1 - mAP: curves are not linear in errors, and a ranking is more than its errors.
"""

from enum import IntEnum

import numpy as np

from slowfast.evaluation.diagnosis.distinct_boxes import pieces
from slowfast.evaluation.diagnosis.person_matches import NEAR_IOU, PersonMatches, best_of_each
from slowfast.structures.outputs.diagnosis import ErrorCost


class Kind(IntEnum):
    """What a detection is."""

    HIT = 0
    DUPLICATE = 1
    WRONG_ACTION = 2
    WRONG_BOX = 3
    WRONG_BOTH = 4
    BACKGROUND = 5


MISSED = "missed person"
NAMES = {
    Kind.WRONG_ACTION: "wrong action",
    Kind.WRONG_BOX: "wrong box",
    Kind.WRONG_BOTH: "wrong box and action",
    Kind.DUPLICATE: "duplicate",
    Kind.BACKGROUND: "background",
}


def kinds_of_detections(matches: PersonMatches) -> np.ndarray:
    """(R,) int8 Kind of each detection row."""
    kind = np.empty(len(matches.row_box), dtype=np.int8)
    _, nearest_iou = matches.nearest()
    for rows in pieces(len(kind)):
        own, anybody = matches.pair_iou[matches.row_pair[rows]], nearest_iou[matches.row_box[rows]]
        conditions = [
            matches.row_hit[rows],
            own >= matches.iou_threshold,
            anybody >= matches.iou_threshold,
            own >= NEAR_IOU,
            anybody >= NEAR_IOU,
        ]
        kind[rows] = np.select(conditions, list(Kind)[:-1], default=Kind.BACKGROUND)
    return kind


class ErrorAnalysis:
    """The kinds of all detections of `matches`, and what mending each would give."""

    def __init__(self, matches: PersonMatches) -> None:
        self.matches = matches
        self.kind = kinds_of_detections(matches)
        self.num_truth = np.bincount(matches.truth_class, minlength=matches.num_classes)
        self._cells = np.unique(matches.truth_cell)
        self._unfound = np.setdiff1d(self._cells, matches.cells(np.flatnonzero(matches.row_hit)), assume_unique=True)
        self._refit = self._rows_to_refit()
        self._relabelled, self._new_cell = self._rows_to_relabel()
        mendable = np.union1d(matches.cells(self._refit), self._new_cell)
        self.missed_cells = np.setdiff1d(self._unfound, mendable)

    @property
    def mean_ap(self) -> float:
        return self._mean(self.ap)

    @property
    def ap(self) -> np.ndarray:
        """(C,) AP of each class, nan without ground truth."""
        m = self.matches
        return m.average_precisions(m.row_class, m.row_score, m.row_hit, self.num_truth)

    def mended(self, kind: Kind | None) -> float:
        """mAP when all errors of one kind are mended; None: what was missed."""
        m, hit, row_class = self.matches, self.matches.row_hit, self.matches.row_class
        if kind is None:
            return self._mean_without(self.missed_cells)
        rows = self.kind != kind
        if kind is Kind.WRONG_BOX:
            hit = hit.copy()
            rows[self._refit] = hit[self._refit] = True
        if kind is Kind.WRONG_ACTION:
            hit, row_class = hit.copy(), row_class.copy()
            rows[self._relabelled] = hit[self._relabelled] = True
            row_class[self._relabelled] = self._new_cell % m.num_classes
            rows = np.flatnonzero(rows)
            rows = rows[np.argsort(row_class[rows], kind="stable")]
        return self._mean(m.average_precisions(row_class[rows], m.row_score[rows], hit[rows], self.num_truth))

    def costs(self) -> tuple[ErrorCost, ...]:
        """Every kind of error, the dearest first."""
        base = self.mean_ap
        counts = np.bincount(self.kind, minlength=len(Kind))
        false = max(1, int(counts.sum() - counts[Kind.HIT]))
        missed = int(np.isin(self.matches.truth_cell, self.missed_cells).sum())
        costs = [ErrorCost(MISSED, missed, missed / max(1, len(self.matches.truth_cell)), self.mended(None) - base)]
        for kind, name in NAMES.items():
            count = int(counts[kind])
            costs.append(ErrorCost(name, count, count / false, self.mended(kind) - base))
        return tuple(sorted(costs, key=lambda cost: -cost.gain))

    def _mean(self, ap: np.ndarray) -> float:
        return float(np.nanmean(ap))

    def _mean_without(self, cells: np.ndarray) -> float:
        m = self.matches
        kept = m.truth_class[~np.isin(m.truth_cell, cells)]
        left = np.bincount(kept, minlength=m.num_classes)
        ap = m.average_precisions(m.row_class, m.row_score, m.row_hit, left)
        ap[(left == 0) & (self.num_truth > 0)] = 1.0
        return self._mean(ap)

    def _rows_to_refit(self) -> np.ndarray:
        """Wrong boxes that would find something when their box fitted: one row for each unfound (person, action)."""
        rows = np.flatnonzero(self.kind == Kind.WRONG_BOX)
        cell = self.matches.cells(rows)
        wanted = np.isin(cell, self._unfound)
        rows, cell = rows[wanted], cell[wanted]
        return rows[best_of_each(cell, self.matches.row_score[rows])]

    def _rows_to_relabel(self) -> tuple[np.ndarray, np.ndarray]:
        """(rows of wrong actions, the unfound (person, action) each takes): k-th best row, k-th action of a person."""
        m = self.matches
        nearest, owner = m.nearest()[0], self._unfound // m.num_classes
        lacks = np.zeros(len(m.people_boxes) + 1, dtype=bool)  # index -1 is nobody
        lacks[owner] = True
        rows = np.flatnonzero((self.kind == Kind.WRONG_ACTION) & lacks[nearest][m.row_box])
        person = nearest[m.row_box[rows]]
        order = np.lexsort((-m.row_score[rows], person))
        rows, person = rows[order], person[order]
        place = np.arange(len(rows)) - np.searchsorted(person, person)
        first = np.searchsorted(owner, person)
        takes = place < np.searchsorted(owner, person, side="right") - first
        return rows[takes], self._unfound[(first + place)[takes]]
