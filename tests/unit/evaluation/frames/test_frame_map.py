import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slowfast.evaluation.frames import frame_map as frame_map_module
from slowfast.evaluation.frames import key_frame_index as key_frames
from slowfast.evaluation.frames.frame_map import OFFICIAL_CAP, frame_map
from slowfast.structures.annotations.box_table import NO_LABEL
from slowfast.structures.annotations.label_map import LabelMap
from tests.unit.evaluation.frames.reference_frame_map import reference_ap
from tests.unit.evaluation.tables import NOBODY, found, random_case, table

BOX, FAR = (0.1, 0.1, 0.5, 0.5), (0.6, 0.6, 0.9, 0.9)
ONE = LabelMap((1,), ("stand",))
FIVE = LabelMap((1, 2, 3, 4, 5), ("a", "b", "c", "d", "e"))


def ap(groundtruth, detections, **settings) -> float:
    return frame_map(groundtruth, detections, ONE, **settings).mAP


# Against the plain implementation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key_frame_set", ["all_included", "gt_only"])
@pytest.mark.parametrize("protocol", ["official", "uncapped"])
@pytest.mark.parametrize("seed", range(12))
def test_equals_the_plain_implementation(seed: int, protocol: str, key_frame_set: str, monkeypatch) -> None:
    monkeypatch.setattr(frame_map_module, "OFFICIAL_CAP", 9)
    groundtruth, detections = random_case(seed)
    exclusions = (("video 1", 901), ("video 2", 900), ("another video", 1))
    ids = (5, 2, 1, 4, 9)  # 3 and 7 occur in the tables and are not evaluated, 9 occurs nowhere
    expected = reference_ap(
        groundtruth,
        detections,
        ids,
        cap=9 if protocol == "official" else None,
        gt_only=key_frame_set == "gt_only",
        exclusions=exclusions,
    )
    result = frame_map(
        groundtruth,
        detections,
        LabelMap(ids, tuple("abcde")),
        protocol=protocol,
        key_frames=key_frame_set,
        exclusions=exclusions,
    )
    np.testing.assert_allclose(result.ap, expected, rtol=0, atol=1e-13)
    assert np.isnan(result.ap[4])


@pytest.mark.parametrize("protocol", ["official", "uncapped"])
@pytest.mark.parametrize("batch_rows", [1, 7, 64])
def test_neither_row_order_nor_batches_change_anything(protocol: str, batch_rows: int, monkeypatch) -> None:
    monkeypatch.setattr(frame_map_module, "OFFICIAL_CAP", 9)
    groundtruth, detections = random_case(3)
    expected = frame_map(groundtruth, detections, FIVE, protocol=protocol)
    monkeypatch.setattr(frame_map_module, "BATCH_ROWS", batch_rows)
    rng = np.random.default_rng(0)
    for _ in range(5):
        result = frame_map(
            groundtruth.rows(rng.permutation(len(groundtruth))),
            detections.rows(rng.permutation(len(detections))),
            FIVE,
            protocol=protocol,
        )
        np.testing.assert_array_equal(result.ap, expected.ap)
        assert result.counters == expected.counters


def test_video_numbering_does_not_matter() -> None:
    groundtruth, detections = random_case(5)
    expected = frame_map(groundtruth, detections, FIVE)
    renamed = replace(detections, videos=detections.videos[::-1], video=len(detections.videos) - 1 - detections.video)
    np.testing.assert_array_equal(frame_map(groundtruth, renamed, FIVE).ap, expected.ap)


@pytest.mark.parametrize("protocol", ["official", "uncapped"])
def test_far_apart_timestamps_give_the_same_as_dense_ones(protocol: str, monkeypatch) -> None:
    groundtruth, detections = random_case(7)
    exclusions = [("video 1", 901)]
    expected = frame_map(groundtruth, detections, FIVE, protocol=protocol, exclusions=exclusions)
    monkeypatch.setattr(key_frames, "MIN_SLOTS", 0)
    monkeypatch.setattr(key_frames, "SLOTS_PER_KEY_FRAME", 0)
    result = frame_map(groundtruth, detections, FIVE, protocol=protocol, exclusions=exclusions)
    np.testing.assert_array_equal(result.ap, expected.ap)
    assert result.counters == expected.counters


def test_extreme_timestamps() -> None:
    times = (-(2**31), -1, 0, 2**31 - 1)
    groundtruth = table(*(("v", time, BOX, 1) for time in times))
    detections = found(*(("v", time, BOX, 1, 0.5) for time in times), ("v", 1, BOX, 1, 0.9))
    result = frame_map(groundtruth, detections, ONE)
    assert result.mAP == 1.0
    assert result.counters["detections_dropped_unlisted_key_frame"] == 1


# By hand -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("protocol", ["official", "uncapped"])
def test_a_perfect_detector_scores_one(protocol: str, dtype: type) -> None:
    groundtruth, _ = random_case(1)
    unique = np.unique(
        np.column_stack([groundtruth.video, groundtruth.timestamp, groundtruth.boxes, groundtruth.label]), axis=0
    )
    people = unique[~np.isnan(unique[:, 2])]
    names = groundtruth.videos
    rows = [(names[int(row[0])], int(row[1]), tuple(row[2:6]), int(row[6])) for row in people]
    result = frame_map(table(*rows), found(*((*row, 0.7) for row in rows), dtype=dtype), FIVE, protocol=protocol)
    assert result.mAP == 1.0
    assert result.instances.sum() == len(rows)


def test_the_best_score_takes_the_person_whatever_the_row_order() -> None:
    # PySlowFast matches in row order and says 0.5 here.
    assert ap(table(("v", 1, BOX, 1)), found(("v", 1, BOX, 1, 0.1), ("v", 1, BOX, 1, 0.9))) == 1.0


def test_a_duplicate_above_another_true_positive_lowers_the_curve() -> None:
    groundtruth = table(("v", 1, BOX, 1), ("v", 2, BOX, 1))
    detections = found(("v", 1, BOX, 1, 0.9), ("v", 1, BOX, 1, 0.8), ("v", 2, BOX, 1, 0.7))
    assert ap(groundtruth, detections) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3, abs=1e-15)


def test_of_tied_detections_either_may_come_first() -> None:
    tied = found(("v", 1, BOX, 1, 0.5), ("v", 1, FAR, 1, 0.5))
    assert ap(table(("v", 1, BOX, 1)), tied) == pytest.approx((1 + 1 / 2) / 2, abs=1e-15)
    # Whichever of two tied rows finds the box, one of them does.
    twice = found(("v", 1, BOX, 1, 0.5), ("v", 1, BOX, 1, 0.5))
    assert ap(table(("v", 1, BOX, 1)), twice) == pytest.approx((1 + 1 / 2) / 2, abs=1e-15)


def test_precision_is_the_best_one_at_higher_recall() -> None:
    # Hits at ranks 2 and 3 of 2 people: precision 1/2, then 2/3; interpolated 2/3 for both.
    groundtruth = table(("v", 1, BOX, 1), ("v", 1, FAR, 1))
    detections = found(("v", 1, (0.0, 0.0, 0.05, 0.05), 1, 0.9), ("v", 1, BOX, 1, 0.8), ("v", 1, FAR, 1, 0.7))
    assert ap(groundtruth, detections) == pytest.approx(2 / 3, abs=1e-15)


def test_an_overlap_of_exactly_one_half_counts() -> None:
    groundtruth = table(("v", 1, (0.0, 0.0, 0.5, 0.5), 1))
    assert ap(groundtruth, found(("v", 1, (0.0, 0.0, 0.5, 0.25), 1, 0.9))) == 1.0
    assert ap(groundtruth, found(("v", 1, (0.0, 0.0, 0.5, 0.2499), 1, 0.9))) == 0.0
    assert ap(groundtruth, found(("v", 1, (0.0, 0.0, 0.5, 0.2499), 1, 0.9)), iou_threshold=0.4) == 1.0


def test_a_detection_claims_only_the_person_it_overlaps_most() -> None:
    # Both detections are nearest to the first person; the second person, overlapped by more than half, stays missed.
    groundtruth = table(("v", 1, (0.0, 0.0, 0.4, 0.4), 1), ("v", 1, (0.0, 0.0, 0.4, 0.5), 1))
    detections = found(("v", 1, (0.0, 0.0, 0.4, 0.4), 1, 0.9), ("v", 1, (0.0, 0.0, 0.4, 0.41), 1, 0.8))
    assert ap(groundtruth, detections) == 0.5


def test_a_ground_truth_row_that_is_there_twice_can_be_found_once() -> None:
    groundtruth = table(("v", 1, BOX, 1), ("v", 1, BOX, 1))
    result = frame_map(groundtruth, found(("v", 1, BOX, 1, 0.9), ("v", 1, BOX, 1, 0.8)), ONE)
    assert result.mAP == 0.5
    assert result.counters["groundtruth_repeated_rows"] == 1
    assert "1 ground-truth rows repeat another row" in result.warnings[0]


def test_people_without_area_count_and_cannot_be_found() -> None:
    groundtruth = table(("v", 1, (0.2, 0.2, 0.2, 0.4), 1), ("v", 2, BOX, 1))
    detections = found(("v", 1, (0.2, 0.2, 0.2, 0.4), 1, 0.9), ("v", 2, BOX, 1, 0.8))
    result = frame_map(groundtruth, detections, ONE)
    assert result.mAP == 0.5
    assert result.counters["detections_dropped_no_area"] == 1


# Key frames ----------------------------------------------------------------------------------------------------------


def test_key_frame_sets() -> None:
    groundtruth = table(("v", 1, BOX, 1), ("v", 2, None, NO_LABEL))
    detections = found(("v", 1, BOX, 1, 0.5), ("v", 2, BOX, 1, 0.9), ("v", 3, BOX, 1, 0.8), ("w", 1, BOX, 1, 0.8))
    listed, annotated = (frame_map(groundtruth, detections, ONE, key_frames=k) for k in ("all_included", "gt_only"))
    assert (listed.mAP, listed.num_key_frames, listed.counters["detections_dropped_unlisted_key_frame"]) == (0.5, 2, 2)
    assert (annotated.mAP, annotated.num_key_frames) == (1.0, 1)
    assert ap(groundtruth, detections, included=[("v", 3), ("w", 1)]) == 0.25


def test_excluded_key_frames_leave_both_sides() -> None:
    groundtruth = table(("v", 1, BOX, 1), ("v", 2, BOX, 1))
    detections = found(("v", 1, BOX, 1, 0.5), ("v", 2, FAR, 1, 0.9))
    result = frame_map(groundtruth, detections, ONE, exclusions={("v", 2), ("x", 7)})
    assert (result.mAP, result.num_key_frames, result.instances[0]) == (1.0, 1, 1)
    assert result.counters["detections_dropped_excluded_key_frame"] == 1
    assert result.counters["groundtruth_on_excluded_key_frames"] == 1


def test_a_person_without_action_lists_the_key_frame_for_both_sets() -> None:
    groundtruth = table(("v", 1, BOX, 1), ("v", 2, FAR, NO_LABEL))
    detections = found(("v", 1, BOX, 1, 0.5), ("v", 2, BOX, 1, 0.9))
    assert [ap(groundtruth, detections, key_frames=k) for k in ("all_included", "gt_only")] == [0.5, 0.5]


# The cap -------------------------------------------------------------------------------------------------------------


def test_official_keeps_50_rows_of_classes_in_the_label_map() -> None:
    crowd = [("v", 1, FAR, 2, 0.9)] * (OFFICIAL_CAP - 1) + [("v", 1, FAR, 77, 0.95)] * 10
    groundtruth = table(("v", 1, BOX, 1), ("v", 1, BOX, 2))
    both = LabelMap((1, 2), ("a", "b"))
    fits = frame_map(groundtruth, found(*crowd, ("v", 1, BOX, 1, 0.1)), both)
    assert fits.ap[0] == 1.0
    assert fits.counters["detections_dropped_unknown_class"] == 10
    full = found(*crowd, ("v", 1, FAR, 2, 0.9), ("v", 1, BOX, 1, 0.1))
    assert frame_map(groundtruth, full, both).ap[0] == 0.0
    assert frame_map(groundtruth, full, both).counters["detections_dropped_cap"] == 1
    assert frame_map(groundtruth, full, both, protocol="uncapped").ap[0] == 1.0


def test_ties_at_the_cap_keep_the_higher_box_then_the_lower_class() -> None:
    groundtruth = table(("v", 1, FAR, 1), ("v", 1, FAR, 2))
    both = LabelMap((2, 1), ("b", "a"))
    better = [("v", 1, BOX, 2, 0.9)] * (OFFICIAL_CAP - 1)
    tied = [("v", 1, BOX, 1, 0.5), ("v", 1, FAR, 2, 0.5), ("v", 1, FAR, 1, 0.5)]
    result = frame_map(groundtruth, found(*tied, *better), both)
    assert result.ap[1] == 1.0  # (FAR, class 1) got the last place
    assert result.detections.tolist() == [OFFICIAL_CAP - 1, 1]


# Bad input -----------------------------------------------------------------------------------------------------------


def test_no_detection_at_all_is_zero_with_a_warning() -> None:
    result = frame_map(table(("v", 1, BOX, 1)), found(), ONE)
    assert result.mAP == 0.0
    assert result.warnings == ["no detection was scored: the mAP is 0 because nothing was detected"]


def test_videos_without_a_detection_are_counted() -> None:
    people = table(("v", 1, BOX, 1), ("w", 1, BOX, 1), ("w", 2, BOX, 1), ("unlisted class", 1, BOX, 77))
    result = frame_map(people, found(("v", 1, BOX, 1, 0.5)), ONE)
    assert result.counters["videos_without_detections"] == 1
    assert "1 videos with annotated people have no detection at all: their people count as missed" in result.warnings
    everywhere = found(("v", 1, BOX, 1, 0.5), ("w", 2, BOX, 1, 0.5))
    assert frame_map(people, everywhere, ONE).counters["videos_without_detections"] == 0
    dropped = everywhere.rows(everywhere.video == 0)  # "w" stays among its names, without a row
    assert frame_map(people, dropped, ONE).counters["videos_without_detections"] == 1


def test_a_zero_says_why_no_detection_counted() -> None:
    truth = table(("v", 1, BOX, 1), ("w", 1, BOX, 1))
    rows = found(("w", 1, BOX, 1, 0.5), ("w", 1, BOX, 7, 0.5), ("v", 1, (0.5, 0.5, 0.1, 0.9), 1, 0.5))
    result = frame_map(truth, rows, ONE, exclusions=[("w", 1)])
    assert result.mAP == 0.0
    assert result.warnings == [
        "no detection was scored: the mAP is 0 because all 3 detections were left out "
        "(2 excluded key frame, 1 no area)",
        "1 detections have a box without area, or an inverted one: ignored",
    ]


GOOD_TRUTH, GOOD_FOUND = table(("v", 1, BOX, 1)), found(("v", 1, BOX, 1, 0.5))


@pytest.mark.parametrize(
    ("groundtruth", "detections", "message"),
    [
        (table(), GOOD_FOUND, "the ground truth has no rows"),
        (table(("v", 1, None, 0)), GOOD_FOUND, "no class has ground truth: of 1 ground-truth rows, 0 have an action"),
        (table(("v", 1, BOX, 7)), GOOD_FOUND, "1 have an action, 0 have one of the 1 classes of the label map"),
        (
            table(("v", 1, (0.5, 0.1, 0.1, 0.5), 1)),
            GOOD_FOUND,
            r"1 ground-truth boxes are inverted .* row 0: video 'v'",
        ),
        (table(("v", 1, NOBODY, 1)), GOOD_FOUND, "1 ground-truth rows have an action but no finite box"),
        (table(("v", 1, (0.1, np.nan, 1, 1), -1)), GOOD_FOUND, "1 ground-truth rows have a box that is not finite"),
        (GOOD_TRUTH, GOOD_TRUTH, "the detections have no scores"),
        (GOOD_TRUTH, found(("v", 1, BOX, 1, np.nan)), r"1 detections have a score that is not finite; .* score nan"),
        (GOOD_TRUTH, found(("v", 1, BOX, 1, np.inf)), "1 detections have a score that is not finite"),
        (GOOD_TRUTH, found(("v", 1, NOBODY, 1, 0.5)), "1 detections have a box that is not finite"),
        (GOOD_TRUTH, found(("v", 1, (0.1, 0.1, np.inf, 1), 1, 0.5)), "1 detections have a box that is not finite"),
        (GOOD_TRUTH, found(("w", 4, BOX, 1, 0.5)), r"none of the 1 detections can be scored: 1 .* 'w', timestamp 4"),
        (GOOD_TRUTH, found(("v", 1, BOX, 2, 0.5)), "1 have a class id outside the label map"),
    ],
)
def test_bad_tables_are_named(groundtruth, detections, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frame_map(groundtruth, detections, ONE)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"protocol": "voc"}, r"protocol must be one of \('official', 'uncapped'\), got 'voc'"),
        ({"key_frames": "all"}, r"key_frames must be one of \('all_included', 'gt_only'\), got 'all'"),
        ({"iou_threshold": 0}, r"iou_threshold must be in \(0, 1\], got 0"),
        ({"key_frames": "gt_only", "included": [("v", 2)]}, "pass no `included`"),
    ],
)
def test_bad_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frame_map(GOOD_TRUTH, GOOD_FOUND, ONE, **settings)


# The result ----------------------------------------------------------------------------------------------------------


def test_summary_and_table_say_what_was_measured() -> None:
    groundtruth = table(("v", 1, BOX, 1), ("v", 2, BOX, 6))
    result = frame_map(
        groundtruth, found(("v", 1, BOX, 1, 0.5), ("v", 9, BOX, 1, 0.5)), LabelMap((1, 4), ("stand", "sit"))
    )
    assert result.summary() == {"mAP": 1.0, "AP/stand": 1.0, "AP/sit": None}
    assert replace(result, person_ap=0.25).summary()["person_AP"] == 0.25
    report = result.report()
    assert (report["num_classes_scored"], report["instances"], report["protocol"]) == (
        1,
        {"stand": 1, "sit": 0},
        "official",
    )
    lines = result.table().splitlines()
    assert lines[1].split() == ["1", "stand", "1", "1", "1.0000"]
    assert lines[2].split() == ["4", "sit", "0", "0", "n/a"]
    assert lines[4] == (
        "mAP@0.5 1.0000 | protocol official | 1 of 2 classes have ground truth | key frames all_included (2)"
    )
    assert lines[5:] == [
        "warning: 1 ground-truth rows have a class id outside the label map and are ignored",
        "warning: 1 detections are on key frames that the ground truth does not list: ignored",
    ]


def test_importing_it_does_not_import_torch(repo_root: Path) -> None:
    code = (
        "import sys, slowfast.evaluation.frames.frame_map, slowfast.utils.ava.tables; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=repo_root, check=False).returncode == 0
