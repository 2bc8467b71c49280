"""One mAP taken apart: curves of each class, AP by size of people and by crowd, confusion. Numpy only."""

import numpy as np

from slowfast.evaluation.average_precision import precision_recall
from slowfast.evaluation.diagnosis.person_matches import PersonMatches, best_of_each
from slowfast.structures.outputs.diagnosis import ClassCurve, Confusion, Part

CROWDS = (("1 person", 1, 1), ("2 people", 2, 2), ("3 or 4", 3, 4), ("5 or more", 5, None))


def class_curves(matches: PersonMatches) -> tuple[ClassCurve, ...]:
    """One curve per class, in the order of the label map."""
    num_truth = np.bincount(matches.truth_class, minlength=matches.num_classes)
    ap = matches.average_precisions(matches.row_class, matches.row_score, matches.row_hit, num_truth)
    curves = []
    for c, name in enumerate(matches.label_map.names):
        score, hit = matches.row_score[matches.class_rows(c)], matches.row_hit[matches.class_rows(c)]
        curve = precision_recall(score, score[hit], int(num_truth[c]))
        curves.append(ClassCurve(name, float(ap[c]), int(num_truth[c]), len(score), *curve))
    return tuple(curves)


def parts_by_size(matches: PersonMatches) -> tuple[Part, ...]:
    """Thirds of the annotated people by area, as shares of the frame.

    In a third, ground truth of other people counts neither as found nor as missed, and a false detection counts where
    its own area puts it.
    """
    area = _area(matches.people_boxes)[matches.truth_person]
    edges = np.quantile(area, [1 / 3, 2 / 3])
    truth_bin = np.searchsorted(edges, area, side="left")
    own = np.searchsorted(edges, _area(matches.found_boxes), side="left").astype(np.int8)
    people_bin = np.searchsorted(edges, _area(matches.people_boxes), side="left").astype(np.int8)
    found = np.where(matches.pair_iou >= matches.iou_threshold, people_bin[matches.pair_person], -1)  # of each pair
    row_bin = found[matches.row_pair]
    row_bin = np.where(row_bin >= 0, row_bin, own[matches.row_box])
    low, high = (f"{100 * edge:.2g} %" for edge in edges)
    names = (f"small, to {low}", f"medium, {low} to {high}", f"large, over {high}")
    return _parts(matches, names, truth_bin, row_bin)


def parts_by_crowd(matches: PersonMatches) -> tuple[Part, ...]:
    """Key frames by the number of annotated people, those with nobody in none; empty parts are left out."""
    count = np.bincount(matches.people_frame, minlength=len(matches.index))
    part = np.full(len(count), -1, dtype=np.int8)
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
        rows = row_bin == number
        row_class, score, hit = matches.row_class[rows], matches.row_score[rows], matches.row_hit[rows]
        ap = matches.average_precisions(row_class, score, hit, num_truth)
        mean = float(np.nanmean(ap)) if num_truth.any() else float("nan")
        parts.append(Part(name, int(num_truth.sum()), mean))
    return tuple(parts)


def confusion(matches: PersonMatches) -> Confusion:
    """For each found person and each action it does: is an action that it does not do scored higher, and which?

    A person is found by the box nearest to it with IoU >= threshold; of equal ones the first. An action that a box has
    no score for scores below all others; with no score for any action at all the person's actions are not counted.
    """
    num_classes, box = matches.num_classes, _box_of_each_person(matches)
    does = np.zeros((len(matches.people_boxes), num_classes), dtype=bool)
    does[matches.truth_person, matches.truth_class] = True
    acts = does.any(axis=1)
    found = np.flatnonzero(acts & (box >= 0))
    box, does = box[found], does[found]
    person, action = np.nonzero(does)
    own, best_wrong = np.full(len(person), -np.inf), np.full(len(found), -np.inf)
    taken_for = np.zeros(len(found), dtype=np.int64)
    of_box = np.empty(len(matches.found_boxes))
    for c in range(num_classes):
        of_box.fill(-np.inf)
        of_box[matches.row_box[matches.class_rows(c)]] = matches.row_score[matches.class_rows(c)]
        score = of_box[box]
        own[action == c] = score[person[action == c]]
        worse = ~does[:, c] & (score > best_wrong)
        best_wrong[worse], taken_for[worse] = score[worse], c
    known = np.isfinite(best_wrong)
    known[person[np.isfinite(own)]] = True
    right = (own > best_wrong[person]) | np.isneginf(best_wrong[person])
    counts = np.zeros((num_classes, num_classes), dtype=np.int64)
    shown = known[person]
    np.add.at(counts, (action[shown], np.where(right, action, taken_for[person])[shown]), 1)
    return Confusion(matches.label_map.names, counts, len(found), int(acts.sum()) - len(found))


def _box_of_each_person(matches: PersonMatches) -> np.ndarray:
    """(P,) the box found nearest to each person with IoU >= threshold, -1 for none."""
    pair_box = np.repeat(np.arange(len(matches.found_boxes)), np.diff(matches.pair_first))
    close = np.flatnonzero(matches.pair_iou >= matches.iou_threshold)
    nearest = close[best_of_each(matches.pair_person[close], matches.pair_iou[close])]
    box = np.full(len(matches.people_boxes), -1)
    box[matches.pair_person[nearest]] = pair_box[nearest]
    return box
