"""One mAP taken apart: curves of each class, AP by size of people and by crowd, confusion. Numpy only."""

import numpy as np

from slowfast.evaluation.person_matches import PersonMatches, ap_per_class, best_of_each
from slowfast.structures.diagnosis import ClassCurve, Confusion, Part

CURVE_POINTS = 60
CROWDS = (("1 person", 1, 1), ("2 people", 2, 2), ("3 or 4", 3, 4), ("5 or more", 5, None))


def precision_recall(score: np.ndarray, hit: np.ndarray, num_truth: int) -> tuple[np.ndarray, np.ndarray]:
    """((k,) recall, (k,) interpolated precision) of one class, k <= CURVE_POINTS; rows of equal score are one step."""
    if not num_truth or not hit.any():
        return np.zeros(0), np.zeros(0)
    order = np.argsort(-score, kind="stable")
    score, hit = score[order], hit[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)  # of each run of equal scores
    hits = np.cumsum(hit)[last]
    precision = np.maximum.accumulate((hits / (last + 1))[::-1])[::-1]
    grows = np.diff(hits, prepend=0) > 0
    recall, precision = hits[grows] / num_truth, precision[grows]
    shown = np.unique(np.linspace(0, len(recall) - 1, CURVE_POINTS).round().astype(int))
    return recall[shown], precision[shown]


def class_curves(matches: PersonMatches) -> tuple[ClassCurve, ...]:
    """One curve per class, in the order of the label map."""
    num_truth = np.bincount(matches.truth_class, minlength=matches.num_classes)
    ap = ap_per_class(matches.row_class, matches.row_score, matches.row_hit, num_truth)
    curves = []
    for c, name in enumerate(matches.label_map.names):
        rows = np.flatnonzero(matches.row_class == c)
        curve = precision_recall(matches.row_score[rows], matches.row_hit[rows], int(num_truth[c]))
        curves.append(ClassCurve(name, float(ap[c]), int(num_truth[c]), len(rows), *curve))
    return tuple(curves)


def parts_by_size(matches: PersonMatches) -> tuple[Part, ...]:
    """Thirds of the annotated people by area, as shares of the frame.

    In a third, ground truth of other people counts neither as found nor as missed, and a false detection counts where
    its own area puts it.
    """
    area = _area(matches.people_boxes)[matches.truth_person]
    edges = np.quantile(area, [1 / 3, 2 / 3])
    truth_bin = np.searchsorted(edges, area, side="left")
    own = np.searchsorted(edges, _area(matches.found_boxes), side="left")[matches.row_box]
    people_bin = np.searchsorted(edges, _area(matches.people_boxes), side="left")
    found = matches.row_iou >= matches.iou_threshold
    row_bin = np.where(found, people_bin[matches.row_person], own)
    low, high = (f"{100 * edge:.2g} %" for edge in edges)
    names = (f"small, to {low}", f"medium, {low} to {high}", f"large, over {high}")
    return _parts(matches, names, truth_bin, row_bin)


def parts_by_crowd(matches: PersonMatches) -> tuple[Part, ...]:
    """Key frames by the number of annotated people, those with nobody in none; empty parts are left out."""
    count = np.bincount(matches.people_frame, minlength=len(matches.index))
    part = np.full(len(count), -1)
    for number, (_, low, high) in enumerate(CROWDS):
        part[(count >= low) & (count <= (np.inf if high is None else high))] = number
    truth_bin = part[matches.people_frame[matches.truth_person]]
    row_bin = part[matches.found_frame[matches.row_box]]
    parts = _parts(matches, tuple(name for name, _, _ in CROWDS), truth_bin, row_bin)
    return tuple(part for part in parts if part.instances)


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _parts(
    matches: PersonMatches, names: tuple[str, ...], truth_bin: np.ndarray, row_bin: np.ndarray
) -> tuple[Part, ...]:
    parts = []
    for number, name in enumerate(names):
        num_truth = np.bincount(matches.truth_class[truth_bin == number], minlength=matches.num_classes)
        rows = np.flatnonzero(row_bin == number)
        ap = ap_per_class(matches.row_class[rows], matches.row_score[rows], matches.row_hit[rows], num_truth)
        mean = float(np.nanmean(ap)) if num_truth.any() else float("nan")
        parts.append(Part(name, int(num_truth.sum()), mean))
    return tuple(parts)


def confusion(matches: PersonMatches) -> Confusion:
    """For each found person and each action it does: is an action that it does not do scored higher, and which?

    A person is found by the box nearest to it with IoU >= threshold; of equal ones the first. An action that a box has
    no score for scores below all others; with no score for any action at all the person's actions are not counted.
    """
    box = _box_of_each_person(matches)
    num_classes, num_people = matches.num_classes, len(matches.people_boxes)
    counts = np.zeros((num_classes, num_classes), dtype=np.int64)
    acts = np.zeros(num_people, dtype=bool)
    acts[matches.truth_person] = True
    found = np.flatnonzero(acts & (box >= 0))
    used = np.unique(box[found])
    slot = np.full(len(matches.found_boxes), -1)
    slot[used] = np.arange(len(used))
    rows = np.flatnonzero(slot[matches.row_box] >= 0)
    score = np.full((len(used), num_classes), -np.inf)
    score[slot[matches.row_box[rows]], matches.row_class[rows]] = matches.row_score[rows]
    truth = np.zeros((num_people, num_classes), dtype=bool)
    truth[matches.truth_person, matches.truth_class] = True
    scores, truth = score[slot[box[found]]], truth[found]
    wrong = np.where(truth, -np.inf, scores)
    best_wrong, wrong_score = wrong.argmax(axis=1), wrong.max(axis=1)
    person, action = np.nonzero(truth)
    right = (scores[person, action] > wrong_score[person]) | ~np.isfinite(wrong_score[person])
    taken_for = np.where(right, action, best_wrong[person])
    known = np.isfinite(scores[person]).any(axis=1)
    np.add.at(counts, (action[known], taken_for[known]), 1)
    return Confusion(matches.label_map.names, counts, len(found), int(acts.sum()) - len(found))


def _box_of_each_person(matches: PersonMatches) -> np.ndarray:
    """(P,) the box found nearest to each person with IoU >= threshold, -1 for none."""
    pair_box = np.repeat(np.arange(len(matches.found_boxes)), np.diff(matches.pair_first))
    close = np.where(matches.pair_iou >= matches.iou_threshold, matches.pair_person, -1)
    nearest = best_of_each(close, matches.pair_iou)
    box = np.full(len(matches.people_boxes), -1)
    box[matches.pair_person[nearest]] = pair_box[nearest]
    return box
