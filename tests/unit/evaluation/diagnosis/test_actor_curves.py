"""Finding people: suppression against torchvision, thresholds by hand, p(actor) joined to detections."""

import numpy as np
import pytest
import torch
from torchvision.ops import nms

from slowfast.evaluation.diagnosis.actor_curves import (
    ACTOR_SCORE,
    BEST_ACTION_SCORE,
    THRESHOLDS,
    FoundPeople,
    actor_curve,
    match_found_people,
    threshold_sweep,
)
from slowfast.evaluation.diagnosis.diagnose import diagnose
from slowfast.evaluation.frames.frame_map import frame_map
from slowfast.structures.annotations.label_map import LabelMap
from tests.unit.evaluation.tables import random_case, table

LABELS = LabelMap((1, 2), ("stand", "sit"))
UNCAPPED = {"protocol": "uncapped", "ap_rule": "voc_all_point", "matching": "best"}
LEFT, NEAR_LEFT, RIGHT = (0.0, 0.0, 0.2, 0.4), (0.0, 0.0, 0.22, 0.4), (0.5, 0.0, 0.7, 0.4)
TRUTH = table(("a", 1, LEFT, 1), ("a", 1, RIGHT, 2))
FOUND = table(
    *(("a", 1, LEFT, 1, 0.5), ("a", 1, LEFT, 2, 0.1), ("a", 1, NEAR_LEFT, 1, 0.6), ("a", 1, RIGHT, 2, 0.15)),
    scored=True,
)
PEOPLE = table(("a", 1, RIGHT, 1, 0.25), ("a", 1, NEAR_LEFT, 1, 0.65), ("a", 1, LEFT, 1, 0.95), scored=True)


def test_without_a_table_of_people_the_best_action_score_stands_for_the_actor():
    found = FoundPeople(FOUND, None)
    assert found.score_name == BEST_ACTION_SCORE
    assert found.table.score.tolist() == [0.5, 0.6, 0.15]
    assert found.row_person.tolist() == [0, 0, 1, 2]


def test_p_actor_is_joined_by_key_frame_and_box_whatever_the_order():
    found = FoundPeople(FOUND, PEOPLE)
    assert found.score_name == ACTOR_SCORE
    assert found.table.score[found.row_person].tolist() == [0.95, 0.95, 0.65, 0.25]


def test_detections_of_another_test_are_refused():
    with pytest.raises(ValueError, match="1 of 3 boxes with detections are not in the table of people"):
        FoundPeople(FOUND, PEOPLE.rows(np.array([0, 1])))


@pytest.mark.parametrize("iou", [0.2, 0.5, 0.7])
def test_suppression_is_that_of_torchvision_on_every_key_frame(iou):
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 0.5, (300, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.1, 0.5, (300, 2))], axis=1)
    rows = [("ab"[k % 2], k % 5, tuple(boxes[k]), 1, float(rng.uniform())) for k in range(300)]
    found = FoundPeople(table(*rows, scored=True), None)
    dropped, t = found.suppressed(iou), found.table
    for video in range(2):
        for second in range(5):
            here = np.flatnonzero((t.video == video) & (t.timestamp == second))
            kept = nms(torch.from_numpy(t.boxes[here]), torch.from_numpy(t.score[here]), iou)
            assert sorted(here[~dropped[here]]) == sorted(here[kept.numpy()])
    assert 0 < dropped.sum() < 300


def test_an_overlap_of_just_the_threshold_is_not_suppressed():
    whole, half = (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.5, 1.0)
    found = FoundPeople(table(("a", 1, whole, 1, 0.9), ("a", 1, half, 1, 0.8), scored=True), None)
    assert found.suppressed(0.5).tolist() == [False, False]
    assert found.suppressed(0.49).tolist() == [True, False]  # by place: half, whole


def test_a_person_of_just_the_threshold_stays():
    weak = table(("a", 1, LEFT, 1, 0.3), scored=True)
    sweep = threshold_sweep(FoundPeople(weak, None), TRUTH, LABELS, nms_iou=0.0, rules=UNCAPPED)
    at = THRESHOLDS.index(0.3)
    assert sweep.recall[at : at + 2].tolist() == [0.5, 0.0]


def test_the_sweep_by_hand():
    found = FoundPeople(FOUND, PEOPLE)
    sweep = threshold_sweep(found, TRUTH, LABELS, nms_iou=0.0, rules=UNCAPPED)
    at = {threshold: k for k, threshold in enumerate(THRESHOLDS)}
    # all three people: two hits; stand is found (1), sit by one box right and by another wrongly but below it
    assert sweep.recall[at[0.2]] == 1.0 and sweep.precision[at[0.2]] == pytest.approx(2 / 3)
    assert sweep.mean_ap[at[0.2]] == 1.0
    # p(actor) 0.25 is gone, and with it sit
    assert sweep.recall[at[0.3]] == 0.5 and sweep.mean_ap[at[0.3]] == 0.5
    # the duplicate is gone too
    assert sweep.precision[at[0.7]] == 1.0
    suppressed = threshold_sweep(found, TRUTH, LABELS, nms_iou=0.5, rules=UNCAPPED)
    assert suppressed.precision[at[0.0]] == 1.0


def test_a_threshold_above_everybody_leaves_nothing():
    weak = table(("a", 1, LEFT, 1, 0.3), scored=True)
    sweep = threshold_sweep(
        FoundPeople(weak, None), TRUTH, LABELS, nms_iou=0.0, rules={**UNCAPPED, "protocol": "official"}
    )
    assert np.isnan(sweep.precision[-1]) and sweep.recall[-1] == 0 and sweep.mean_ap[-1] == 0


def test_the_actor_curve_is_the_person_ap_of_the_evaluator():
    curve = actor_curve(match_found_people(FoundPeople(FOUND, PEOPLE), TRUTH), score=ACTOR_SCORE)
    assert (curve.people, curve.boxes) == (2, 3)
    assert curve.ap == pytest.approx(0.5 + 0.5 * 2 / 3)  # hit, duplicate, hit


@pytest.mark.parametrize("seed", range(4))
def test_a_diagnosis_agrees_with_the_evaluator(seed):
    truth, found = random_case(seed)
    labels = LabelMap((1, 2, 3, 4, 5), tuple("abcde"))
    diagnosis, verdicts = diagnose(truth, found, labels, people=None, exclusions=[("video 1", 901)])
    expected = frame_map(truth, found, labels, exclusions=[("video 1", 901)])
    assert diagnosis.mean_ap == pytest.approx(expected.mAP, abs=1e-12)
    assert diagnosis.sweeps[0].mean_ap[0] == pytest.approx(expected.mAP, abs=1e-12)
    assert sum(part.instances for part in diagnosis.by_size) == expected.instances.sum()
    assert ("video 1", 901) not in {(v.video, v.timestamp) for v in verdicts}


def test_tables_that_cannot_be_scored_are_refused():
    elsewhere = table(("b", 1, LEFT, 1, 0.5), scored=True)
    with pytest.raises(ValueError, match="none of the 1 detections can be scored"):
        diagnose(TRUTH, elsewhere, LABELS, people=None)
