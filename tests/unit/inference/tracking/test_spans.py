"""Between key frames: interpolated boxes, who is linked to whom, and when actions start and end. All by hand."""

import pytest

from slowfast.inference.tracking.spans import BetweenKeyFrames, action_spans, link_people
from slowfast.structures.outputs.moment import ActionScore, ActionSpan, Moment, Person

WALK, WAVE = ActionScore("walk", 1, 0.5), ActionScore("wave", 2, 0.6)


def person(x: float, *actions: ActionScore, track: int | None = None) -> Person:
    box = (x, 0.0, x + 0.2, 0.5)
    return Person(box, tuple(100 * value for value in box), 0.9, actions, track)


def at(time: float, *people: Person) -> Moment:
    return Moment(time, (100, 100), people)


def test_a_person_of_two_key_frames_moves_in_a_straight_line():
    between = BetweenKeyFrames([at(0.0, person(0.2, WALK)), at(1.0, person(0.3, WAVE))], every=1.0)
    (found,) = between.at(0.0)
    assert (found.box, found.interpolated, found.person.actions) == ((0.2, 0.0, 0.4, 0.5), False, (WALK,))
    (quarter,) = between.at(0.25)
    assert quarter.box == pytest.approx((0.225, 0, 0.425, 0.5)) and quarter.interpolated
    assert quarter.person.actions == (WALK,) and between.at(0.75)[0].person.actions == (WAVE,)
    (end,) = between.at(1.0)
    assert (end.box[0], end.interpolated) == (0.3, False)


def test_a_person_of_one_key_frame_stays_for_half_the_time():
    between = BetweenKeyFrames([at(0.0, person(0.1)), at(1.0, person(0.7)), at(2.0)], every=1.0)
    shown = {time: [one.box[0] for one in between.at(time)] for time in (0.4, 0.6, 1.4, 1.6, 9.0)}
    assert shown == {0.4: [0.1], 0.6: [0.7], 1.4: [0.7], 1.6: [], 9.0: []}
    assert BetweenKeyFrames([], every=1.0).at(0.0) == []


def test_tolerance_is_what_counts_as_the_key_frame():
    moments = [at(1.0, person(0.1)), at(2.0, person(0.2))]
    assert [one.interpolated for one in BetweenKeyFrames(moments, every=1.0, tolerance=0.02).at(1.015)] == [False]
    assert [one.interpolated for one in BetweenKeyFrames(moments, every=1.0, tolerance=0.01).at(1.015)] == [True]
    assert [one.interpolated for one in BetweenKeyFrames(moments, every=1.0, tolerance=0.02).at(1.985)] == [False]


def test_links_follow_overlap_or_tracks():
    moments = [at(0.0, person(0.1), person(0.6)), at(1.0, person(0.62), person(0.12)), at(2.0, person(0.3))]
    assert link_people(moments, every=1.0) == [[1, 2], [2, 1], [3]]
    tracked = [at(0.0, person(0.1, track=7)), at(1.0, person(0.8, track=7))]
    assert link_people(tracked, every=1.0) == [[7], [7]]
    # A key frame between them was skipped: nothing is known of how they moved.
    assert link_people([at(0.0, person(0.1)), at(2.0, person(0.1))], every=1.0) == [[1], [2]]


def test_actions_start_and_end_by_track():
    strong = ActionScore("walk", 1, 0.8)
    moments = [
        at(0.0, person(0.1, WALK, track=1)),
        at(1.0, person(0.1, strong, WAVE, track=1), person(0.6, WALK, track=2)),
        at(2.0, person(0.1, track=1)),  # one key frame without walking does not end it
        at(3.0, person(0.1, WALK, track=1)),
        at(4.0, person(0.1, track=1)),
        at(5.0, person(0.1, track=1)),
        at(6.0, person(0.1, WALK, track=1)),
    ]
    assert action_spans(moments) == (
        ActionSpan(1, strong, 0.0, 3.0),
        ActionSpan(1, WAVE, 1.0, 1.0),
        ActionSpan(2, WALK, 1.0, 1.0),
        ActionSpan(1, WALK, 6.0, 6.0),
    )
    assert action_spans([at(0.0, person(0.1, WALK))]) == ()
