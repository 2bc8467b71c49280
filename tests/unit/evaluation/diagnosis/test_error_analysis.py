"""Kinds of errors by hand, and the mAP that mending each gives against `frame_map` on tables mended row by row."""

from dataclasses import replace

import numpy as np
import pytest

from slowfast.evaluation.average_precision import AP_RULES
from slowfast.evaluation.diagnosis.error_analysis import MISSED, ErrorAnalysis, Kind
from slowfast.evaluation.diagnosis.person_matches import PersonMatches, match_people
from slowfast.evaluation.frames.frame_map import MATCHINGS, frame_map
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from tests.unit.evaluation.tables import random_case, table

LABELS = LabelMap((1, 2, 5), ("stand", "sit", "wave"))
LEFT, RIGHT, AWAY = (0.0, 0.0, 0.2, 0.4), (0.5, 0.0, 0.7, 0.4), (0.0, 0.8, 0.1, 0.9)
SHIFTED = (0.1, 0.0, 0.3, 0.4)  # IoU with LEFT: 1/3
TRUTH = table(("a", 1, LEFT, 1), ("a", 1, RIGHT, 2), ("a", 1, RIGHT, 5), ("a", 2, LEFT, 1))


def analyse(*rows: tuple, truth: BoxTable = TRUTH) -> ErrorAnalysis:
    return ErrorAnalysis(match_people(truth, table(*rows, scored=True), LABELS, protocol="uncapped"))


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (("a", 1, LEFT, 1, 0.6), Kind.DUPLICATE),
        (("a", 1, LEFT, 2, 0.6), Kind.WRONG_ACTION),
        (("a", 1, SHIFTED, 1, 0.9), Kind.WRONG_BOX),
        (("a", 1, SHIFTED, 5, 0.9), Kind.WRONG_BOTH),
        (("a", 1, AWAY, 1, 0.9), Kind.BACKGROUND),
        (("a", 1, RIGHT, 5, 0.2), Kind.HIT),
    ],
)
def test_each_kind_by_hand(row, kind):
    found = analyse(("a", 1, LEFT, 1, 0.8), row)
    of_row = dict(zip(found.matches.row_score.tolist(), found.kind.tolist(), strict=True))
    assert [of_row[0.8], of_row[row[4]]] == [Kind.HIT, kind]


@pytest.mark.parametrize(
    ("width", "label", "kind"),
    [
        (0.5, 1, Kind.HIT),  # IoU with the person: the width
        (0.5, 2, Kind.WRONG_ACTION),
        (0.49, 1, Kind.WRONG_BOX),
        (0.1, 1, Kind.WRONG_BOX),
        (0.1, 2, Kind.WRONG_BOTH),
        (0.09, 1, Kind.BACKGROUND),
        (0.09, 2, Kind.BACKGROUND),
    ],
)
def test_each_kind_begins_at_its_iou(width, label, kind):
    truth = table(("a", 1, (0.0, 0.0, 1.0, 1.0), 1))
    assert analyse(("a", 1, (0.0, 0.0, width, 1.0), label, 0.5), truth=truth).kind.tolist() == [kind]


def test_a_duplicate_may_overlap_by_just_the_threshold():
    whole, half = (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.5, 1.0)
    found = analyse(("a", 1, whole, 1, 0.9), ("a", 1, half, 1, 0.5), truth=table(("a", 1, whole, 1)))
    assert found.kind.tolist() == [Kind.DUPLICATE, Kind.HIT]


def test_of_two_boxes_on_a_person_the_better_scored_one_is_the_hit():
    found = analyse(("a", 1, LEFT, 1, 0.6), ("a", 1, (0.0, 0.0, 0.21, 0.4), 1, 0.7))
    assert found.kind.tolist() == [Kind.DUPLICATE, Kind.HIT]


def test_what_was_missed_is_what_nothing_could_mend():
    # the wrong box would find (a 1 LEFT, stand); the wrong action on RIGHT takes one of its two; second 2 has nothing
    found = analyse(("a", 1, SHIFTED, 1, 0.9), ("a", 1, RIGHT, 1, 0.5))
    costs = {cost.kind: cost for cost in found.costs()}
    assert costs[MISSED].count == 2
    assert costs[MISSED].share == pytest.approx(2 / 4)
    assert costs["wrong box"].count == 1 and costs["wrong box"].share == pytest.approx(1 / 2)


def test_mending_by_hand():
    # stand: a false 0.9 (wrong box of the person in second 1), then second 2 found: AP = 1/2 of the recall at 1/2
    found = analyse(("a", 1, SHIFTED, 1, 0.9), ("a", 2, LEFT, 1, 0.8))
    assert found.mean_ap == pytest.approx((0.25 + 0 + 0) / 3)
    assert found.mended(Kind.WRONG_BOX) == pytest.approx(1 / 3)
    # without the two unfound actions of RIGHT their classes hold nothing more to find
    assert found.mended(None) == pytest.approx((0.25 + 1 + 1) / 3)


def test_nothing_found_is_all_missed():
    nothing = table(("a", 1, AWAY, 1, 0.1), scored=True).rows(np.zeros(0, dtype=int))
    found = ErrorAnalysis(match_people(TRUTH, nothing, LABELS, protocol="uncapped"))
    assert (found.mean_ap, found.mended(None)) == (0.0, 1.0)
    assert {cost.kind: cost.gain for cost in found.costs()}[MISSED] == 1.0


def random_scene(seed: int, *, tied: bool = False) -> tuple[BoxTable, BoxTable]:
    """Crowded key frames; detections near people and elsewhere, some classes unknown, one row per box or many."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for frame in range(6):
        people = [tuple(np.r_[c, c + 0.25].round(2)) for c in rng.uniform(0, 0.6, (rng.integers(0, 5), 2))]
        for box in people:
            truth += [("v", frame, box, int(c)) for c in rng.choice([1, 2, 5], rng.integers(1, 3), replace=False)]
        if not people:
            truth.append(("v", frame, None, -1))
        places = [np.array(p[:2]) + rng.normal(0, 0.05, 2) for p in people for _ in range(2)] + [rng.uniform(0, 0.6, 2)]
        for c in places:
            c = np.clip(c, 0, 0.7).round(3)
            for label in rng.choice([1, 2, 5, 7], rng.integers(1, 5), replace=False):
                score = rng.choice([0.2, 0.5]) if tied else rng.uniform(0.01, 1)
                found.append(("v", frame, tuple(np.r_[c, c + 0.25].round(3)), int(label), float(score)))
    rng.shuffle(found)
    return table(*truth), table(*found, scored=True)


@pytest.mark.parametrize("protocol", ["official", "uncapped"])
@pytest.mark.parametrize("key_frames", ["all_included", "gt_only"])
@pytest.mark.parametrize("tied", [False, True])
def test_it_starts_from_the_map_of_the_evaluator(protocol, key_frames, tied):
    for seed in range(8):
        truth, found = random_scene(seed, tied=tied)
        if protocol == "official":  # more than 50 rows on a key frame: many boxes on one
            found = replace(found, timestamp=np.minimum(found.timestamp, 1), boxes=found.boxes)
        settings = {"protocol": protocol, "key_frames": key_frames, "exclusions": [("v", 2)]}
        expected = frame_map(truth, found, LABELS, **settings)
        analysis = ErrorAnalysis(match_people(truth, found, LABELS, **settings))
        np.testing.assert_array_equal(analysis.ap, expected.ap)
        assert np.bincount(analysis.matches.row_class, minlength=3).tolist() == expected.detections.tolist()


@pytest.mark.parametrize("seed", range(12))
def test_it_starts_from_the_same_map_where_boxes_scores_and_overlaps_tie(seed):
    truth, found = random_case(seed)
    labels = LabelMap((1, 2, 3, 4, 5), tuple("abcde"))
    for protocol in ("official", "uncapped"):
        analysis = ErrorAnalysis(match_people(truth, found, labels, protocol=protocol))
        np.testing.assert_array_equal(analysis.ap, frame_map(truth, found, labels, protocol=protocol).ap)


@pytest.mark.parametrize("ap_rule", AP_RULES)
@pytest.mark.parametrize("matching", MATCHINGS)
def test_it_starts_from_the_map_of_every_convention(ap_rule, matching):
    labels, rules = LabelMap((1, 2, 3, 4, 5), tuple("abcde")), {"ap_rule": ap_rule, "matching": matching}
    cases = [(*random_case(seed), labels) for seed in range(12)]
    cases += [(*random_scene(seed, tied=seed % 2 == 1), LABELS) for seed in range(12)]
    for truth, found, of in cases:
        for repeated in (truth, truth.rows(np.repeat(np.arange(len(truth)), 2))):
            expected = frame_map(repeated, found, of, protocol="uncapped", **rules)
            analysis = ErrorAnalysis(match_people(repeated, found, of, protocol="uncapped", **rules))
            np.testing.assert_allclose(analysis.ap, expected.ap, atol=1e-12)


def test_a_second_box_finds_the_second_person_where_the_convention_lets_it():
    near, shifted = (0.0, 0.0, 0.5, 1.0), (0.2, 0.0, 0.7, 1.0)
    truth = table(("a", 1, near, 1), ("a", 1, shifted, 1))
    rows = table(("a", 1, near, 1, 0.9), ("a", 1, (0.08, 0.0, 0.58, 1.0), 1, 0.8), scored=True)
    best = ErrorAnalysis(match_people(truth, rows, LABELS, protocol="uncapped"))
    remaining = ErrorAnalysis(match_people(truth, rows, LABELS, protocol="uncapped", matching="remaining"))
    assert best.kind.tolist() == [Kind.DUPLICATE, Kind.HIT] and best.mean_ap == 0.5
    assert remaining.kind.tolist() == [Kind.HIT, Kind.HIT] and remaining.mean_ap == 1.0
    assert sorted(remaining.matches.row_person.tolist()) == [0, 1]


@pytest.mark.parametrize("seed", range(6))
def test_mended_maps_are_those_of_tables_mended_row_by_row(seed):
    truth, found = random_scene(seed)
    m = match_people(truth, found, LABELS, protocol="uncapped")
    analysis, source = ErrorAnalysis(m), rows_of(m, found)

    def score(rows: BoxTable, against: BoxTable = truth) -> float:
        return frame_map(against, rows, LABELS, protocol="uncapped").mAP

    of_kind = {kind: source[analysis.kind == kind] for kind in Kind}
    for kind in (Kind.DUPLICATE, Kind.WRONG_BOTH, Kind.BACKGROUND):
        left = found.rows(np.setdiff1d(np.arange(len(found)), of_kind[kind]))
        assert analysis.mended(kind) == pytest.approx(score(left), abs=1e-12), kind

    hit = {tuple(cell) for cell in cells_of(m, m.row_hit)}
    boxes, label = found.boxes.copy(), found.label.copy()
    drop, taken = [], set()
    wrong = np.flatnonzero(analysis.kind == Kind.WRONG_BOX)
    for row in wrong[np.argsort(-m.row_score[wrong])]:
        cell = (m.row_person[row], m.row_class[row])
        if cell in hit | taken:
            drop.append(source[row])
        else:
            boxes[source[row]] = m.people_boxes[cell[0]]
            taken.add(cell)
    mended = replace(found, boxes=boxes).rows(np.setdiff1d(np.arange(len(found)), drop))
    assert analysis.mended(Kind.WRONG_BOX) == pytest.approx(score(mended), abs=1e-12)

    boxes = found.boxes.copy()
    truth_cells = {(int(c) // 3, int(c) % 3) for c in m.truth_cell}
    drop, taken = [], set()
    nearest = m.nearest()[0]
    wrong = np.flatnonzero(analysis.kind == Kind.WRONG_ACTION)
    for row in wrong[np.argsort(-m.row_score[wrong])]:
        person = nearest[m.row_box[row]]
        free = sorted(cell for cell in truth_cells - hit - taken if cell[0] == person)
        if free:
            label[source[row]] = LABELS.ids[free[0][1]]
            boxes[source[row]] = m.people_boxes[person]  # so that it finds this person and no neighbour
            taken.add(free[0])
        else:
            drop.append(source[row])
    mended = replace(found, label=label, boxes=boxes).rows(np.setdiff1d(np.arange(len(found)), drop))
    assert analysis.mended(Kind.WRONG_ACTION) == pytest.approx(score(mended), abs=1e-12)


def rows_of(m: PersonMatches, table: BoxTable) -> np.ndarray:
    """(R,) for each row of the matches the row of the table that it is; of equal rows each is somebody's."""
    places: dict[tuple, list[int]] = {}
    for k in range(len(table)):
        key = (table.videos[table.video[k]], int(table.timestamp[k]), *table.boxes[k].tolist(), int(table.label[k]))
        places.setdefault((*key, float(table.score[k])), []).append(k)
    ids = m.label_map.ids
    keys = [
        (*m.index.name_of(m.found_frame[box]), *m.found_boxes[box].tolist(), ids[c], float(score))
        for box, c, score in zip(m.row_box, m.row_class, m.row_score, strict=True)
    ]
    return np.array([places[key].pop(0) for key in keys])


def cells_of(m, mask: np.ndarray) -> list[tuple[int, int]]:
    return [(int(p), int(c)) for p, c in zip(m.row_person[mask], m.row_class[mask], strict=True)]


@pytest.mark.parametrize("seed", range(10))
def test_mending_never_costs_and_every_error_is_counted_once(seed):
    truth, found = random_scene(seed, tied=seed % 2 == 1)
    analysis = ErrorAnalysis(match_people(truth, found, LABELS))
    costs = analysis.costs()
    assert all(cost.gain >= -1e-12 for cost in costs)
    assert [cost.gain for cost in costs] == sorted((cost.gain for cost in costs), reverse=True)
    false = sum(cost.count for cost in costs if cost.kind != MISSED)
    assert false == int((~analysis.matches.row_hit).sum())


def test_a_perfect_detector_has_no_errors():
    truth, _ = random_scene(3)
    seen = truth.rows(truth.label > 0)
    perfect = replace(seen, score=np.full(len(seen), 0.9))
    analysis = ErrorAnalysis(match_people(truth, perfect, LABELS))
    assert analysis.mean_ap == 1.0
    assert all(cost.count == 0 and cost.gain == 0 for cost in analysis.costs())
