"""Identity switches and IDF1 against counts by hand."""

import math

import pytest

from slowfast.evaluation.tracks.identity import IdentityScores, identity_scores

A, B, FAR = (0.0, 0.0, 0.2, 0.4), (0.5, 0.0, 0.7, 0.4), (0.8, 0.6, 0.9, 0.9)


def counted(persons, tracks, **options):
    found = identity_scores(persons, tracks, **options)
    return found.annotated, found.found, found.agreed, found.matched, found.switches


def test_perfect_tracks_and_nobody():
    shown = [{1: A, 2: B}] * 3
    assert counted(shown, [{7: A, 9: B}] * 3) == (6, 6, 6, 6, 0)
    assert identity_scores(shown, [{7: A, 9: B}] * 3).idf1 == 1
    assert math.isnan(identity_scores([{}, {}], [{}, {}]).idf1)
    assert counted([{1: A}], [{}]) == (1, 0, 0, 0, 0) and counted([{}], [{4: A}]) == (0, 1, 0, 0, 0)


def test_two_who_exchange_their_tracks_are_two_switches():
    """4 frames of the first pairing, 2 of the second: 8 of 12 boxes agree with the best one-to-one matching."""
    shown = [{1: A, 2: B}] * 6
    tracks = [{1: A, 2: B}] * 4 + [{2: A, 1: B}] * 2
    assert counted(shown, tracks) == (12, 12, 8, 12, 2)
    assert identity_scores(shown, tracks).idf1 == pytest.approx(2 * 8 / 24)


def test_a_gap_is_no_switch_but_another_number_after_it_is():
    shown = [{1: A}] * 5
    assert counted(shown, [{3: A}, {3: A}, {}, {3: A}, {3: A}]) == (5, 4, 4, 4, 0)
    assert counted(shown, [{3: A}, {3: A}, {}, {4: A}, {4: A}]) == (5, 4, 2, 4, 1)
    # Back to the first one: another switch.
    assert counted(shown, [{3: A}, {4: A}, {4: A}, {4: A}, {3: A}]) == (5, 5, 3, 5, 2)


def test_a_person_keeps_the_track_that_still_overlaps_even_if_another_overlaps_more():
    near = (0.02, 0.0, 0.22, 0.4)
    assert counted([{1: A}] * 2, [{5: A}, {5: near, 6: A}]) == (2, 3, 2, 2, 0)
    assert counted([{1: A}] * 2, [{5: A}, {5: FAR, 6: A}]) == (2, 3, 1, 2, 1)


def test_two_persons_of_one_track_do_not_share_it():
    """Person 1 had track 5, then person 2 had it; where both overlap it, it belongs to one and the other gets what is left."""
    shown = [{1: A}, {2: A}, {1: A, 2: (0.05, 0.0, 0.25, 0.4)}]
    assert counted(shown, [{5: A}, {5: A}, {5: A, 6: (0.06, 0.0, 0.26, 0.4)}]) == (4, 4, 3, 4, 1)


def test_the_threshold_decides_what_overlaps():
    half = (0.0, 0.0, 0.2, 0.2)  # IoU 0.5 with A
    assert counted([{1: A}], [{1: half}]) == (1, 1, 1, 1, 0)
    assert counted([{1: A}], [{1: half}], iou_threshold=0.51) == (1, 1, 0, 0, 0)


def test_counts_add_up_over_videos_and_frames_must_agree():
    one = identity_scores([{1: A}], [{1: A}])
    assert one + one == IdentityScores(2, 2, 2, 2, 0)
    with pytest.raises(ValueError, match="2 frames are annotated and 1 are tracked; both must be the same"):
        identity_scores([{}, {}], [{}])
