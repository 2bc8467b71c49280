"""One axis of seconds over several connections, by hand."""

import pytest

from slowfast.video.live.axis import LiveAxis


def times(frames, *, recorded: bool = False) -> list[float]:
    """frames: (second of the sender, when it arrived, first of a connection)"""
    axis = LiveAxis()
    return [
        axis.time(second, arrived, frame_seconds=0.04, anew=anew, recorded=recorded) for second, arrived, anew in frames
    ]


def test_frames_are_spaced_as_the_sender_says_and_new_connections_by_our_clock():
    got = times(
        [
            (5.0, 100.0, True),
            (5.04, 100.3, False),  # late, in a burst
            (5.08, 100.3, False),
            (0.0, 103.3, True),  # three seconds later, its clock starts anew
            (0.04, 103.31, False),
        ]
    )
    assert got == pytest.approx([0, 0.04, 0.08, 3.08, 3.12])


def test_a_clock_that_jumps_is_a_new_one_and_small_steps_back_do_not_count():
    got = times([(0.0, 0.0, True), (0.04, 0.04, False), (9000.0, 0.08, False), (9000.04, 0.12, False)])
    assert got == pytest.approx([0, 0.04, 0.08, 0.12])
    assert times([(50.0, 0.0, True), (1.0, 0.5, False), (1.5, 1.0, False)]) == pytest.approx([0, 0.5, 1.0])
    assert times([(1.0, 0, True), (1.2, 0.2, False), (1.1, 0.3, False), (1.3, 0.4, False)]) == pytest.approx(
        [0, 0.2, 0.2, 0.3]
    )


def test_without_a_clock_of_the_sender_it_is_when_frames_arrive():
    assert times([(None, 7.0, True), (None, 7.1, False), (None, 7.35, False)]) == pytest.approx([0, 0.1, 0.35])


def test_what_is_recorded_may_pause_as_long_as_it_says_and_arrive_at_once():
    assert times([(0.0, 0, True), (60.0, 0.01, False), (60.04, 90.0, False)], recorded=True) == [0, 60, 60.04]
