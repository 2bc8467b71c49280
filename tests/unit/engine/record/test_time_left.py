"""slowfast.engine.record.time_left: the rest of a run, by hand."""

import pytest

from slowfast.engine.record.time_left import TimeLeft


def run_of(**given):
    plan = {"epochs": 4, "steps": 10, "eval_period": 2, "checkpoint_period": 1}
    return TimeLeft(**plan | given)


def test_nothing_is_said_before_a_step():
    assert run_of().seconds(0) is None and run_of().text(0) == ""


def test_steps_alone():
    left = run_of()
    left.note_steps(3.0)
    assert left.seconds(10) == (30 * 3.0, False)
    assert left.text(10) == "at least 1 min left"


def test_evaluations_and_checkpoints_count_as_they_were_measured():
    left = run_of(final_test=True)
    left.note_steps(2.0)
    left.note("evaluation", 100.0)
    left.note("checkpoint", 5.0)
    # After 15 steps: 25 steps; evaluations after epochs 2 and 4 and the test; checkpoints after 2, 3 and 4.
    assert left.seconds(15) == (25 * 2.0 + 3 * 100.0 + 3 * 5.0, True)
    assert left.text(15) == "6 min left"


@pytest.mark.parametrize(
    ("done", "evaluations"),
    # The evaluation of an epoch whose last step has just been done is still to come.
    [(0, 2), (19, 2), (20, 2), (21, 1), (40, 1)],
)
def test_the_evaluation_after_an_epoch_is_ahead_until_the_next_one_begins(done, evaluations):
    left = run_of()
    left.note_steps(0.0)
    left.note("evaluation", 1.0)
    assert left.seconds(done) == (float(evaluations), True)


def test_the_last_epoch_is_evaluated_whatever_the_period():
    left = run_of(eval_period=3)
    left.note_steps(0.0)
    left.note("evaluation", 1.0)
    assert left.seconds(31) == (1.0, True)


def test_one_slow_period_does_not_move_the_end():
    left = run_of()
    for seconds in (60.0, 1.0, 1.0):  # the first one compiles
        left.note_steps(seconds)
    assert left.seconds(10)[0] == 30.0
