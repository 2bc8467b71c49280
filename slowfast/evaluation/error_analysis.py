"""Where errors come from, and the mAP that each kind costs (after TIDE, Bolya et al., ECCV 2020). Numpy only.

Every detection that counts (see `ava_map`) is one of
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

from slowfast.evaluation.person_matches import NEAR_IOU, PersonMatches, ap_per_class, best_of_each
from slowfast.structures.diagnosis import ErrorCost


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
    _, any_iou = matches.nearest()
    any_iou = any_iou[matches.row_box]
    found = matches.row_iou >= matches.iou_threshold
    conditions = [
        matches.row_hit,
        found,
        any_iou >= matches.iou_threshold,
        matches.row_iou >= NEAR_IOU,
        any_iou >= NEAR_IOU,
    ]
    return np.select(conditions, list(Kind)[:-1], default=Kind.BACKGROUND).astype(np.int8)


class ErrorAnalysis:
    """The kinds of all detections of `matches`, and what mending each would give."""

    def __init__(self, matches: PersonMatches) -> None:
        self.matches = matches
        self.kind = kinds_of_detections(matches)
        self.num_truth = np.bincount(matches.truth_class, minlength=matches.num_classes)
        self._cells = np.unique(matches.truth_cell)
        self._unfound = np.setdiff1d(self._cells, matches.row_cell[matches.row_hit], assume_unique=True)
        self._refit = self._rows_to_refit()
        self._relabelled, self._new_cell = self._rows_to_relabel()
        mendable = np.union1d(matches.row_cell[self._refit], self._new_cell)
        self.missed_cells = np.setdiff1d(self._unfound, mendable)

    @property
    def mean_ap(self) -> float:
        return self._mean(self.ap)

    @property
    def ap(self) -> np.ndarray:
        """(C,) AP of each class, nan without ground truth."""
        m = self.matches
        return ap_per_class(m.row_class, m.row_score, m.row_hit, self.num_truth)

    def mended(self, kind: Kind | None) -> float:
        """mAP when all errors of one kind are mended; None: what was missed."""
        m, hit, row_class = self.matches, self.matches.row_hit, self.matches.row_class
        if kind is None:
            return self._mean_without(self.missed_cells)
        keep = self.kind != kind
        if kind is Kind.WRONG_BOX:
            keep, hit = keep | self._mask(self._refit), hit | self._mask(self._refit)
        if kind is Kind.WRONG_ACTION:
            changed = self._mask(self._relabelled)
            keep, hit, row_class = keep | changed, hit | changed, row_class.copy()
            row_class[self._relabelled] = self._new_cell % m.num_classes
        return self._mean(ap_per_class(row_class[keep], m.row_score[keep], hit[keep], self.num_truth))

    def costs(self) -> tuple[ErrorCost, ...]:
        """Every kind of error, the dearest first."""
        base = self.mean_ap
        false = max(1, int((self.kind != Kind.HIT).sum()))
        missed = int(np.isin(self.matches.truth_cell, self.missed_cells).sum())
        costs = [ErrorCost(MISSED, missed, missed / max(1, len(self.matches.truth_cell)), self.mended(None) - base)]
        for kind, name in NAMES.items():
            count = int((self.kind == kind).sum())
            costs.append(ErrorCost(name, count, count / false, self.mended(kind) - base))
        return tuple(sorted(costs, key=lambda cost: -cost.gain))

    def _mask(self, rows: np.ndarray) -> np.ndarray:
        mask = np.zeros(len(self.kind), dtype=bool)
        mask[rows] = True
        return mask

    def _mean(self, ap: np.ndarray) -> float:
        return float(np.nanmean(ap))

    def _mean_without(self, cells: np.ndarray) -> float:
        m = self.matches
        kept = m.truth_class[~np.isin(m.truth_cell, cells)]
        left = np.bincount(kept, minlength=m.num_classes)
        ap = ap_per_class(m.row_class, m.row_score, m.row_hit, left)
        ap[(left == 0) & (self.num_truth > 0)] = 1.0
        return self._mean(ap)

    def _rows_to_refit(self) -> np.ndarray:
        """Wrong boxes that would find something when their box fitted: one row for each unfound (person, action)."""
        m = self.matches
        wanted = (self.kind == Kind.WRONG_BOX) & np.isin(m.row_cell, self._unfound)
        return np.flatnonzero(best_of_each(np.where(wanted, m.row_cell, -1), m.row_score))

    def _rows_to_relabel(self) -> tuple[np.ndarray, np.ndarray]:
        """(rows of wrong actions, the unfound (person, action) each takes): k-th best row, k-th action of a person."""
        m = self.matches
        rows = np.flatnonzero(self.kind == Kind.WRONG_ACTION)
        person = m.nearest()[0][m.row_box[rows]]
        order = np.lexsort((-m.row_score[rows], person))
        rows, person = rows[order], person[order]
        place = np.arange(len(rows)) - np.searchsorted(person, person)
        owner = self._unfound // m.num_classes
        first = np.searchsorted(owner, person)
        takes = place < np.searchsorted(owner, person, side="right") - first
        return rows[takes], self._unfound[(first + place)[takes]]
