"""Clips that cannot be read: how many of an epoch, and how many steps in a row, end the run; also one that went on."""

import pytest

from slowfast.engine.record.epoch_report import MAX_EMPTY_STEPS, EpochReport, UnreadableDataError

STEPS = 1000.0  # of which all clips may be missing: the share of an epoch ends nothing here


def test_steps_without_any_clip_end_the_run_when_they_come_in_a_row():
    report = EpochReport()
    for clips in (0.0, 0.0, 4.0, *[0.0] * MAX_EMPTY_STEPS):
        report.note_readable(clips, 4, STEPS)
    assert report.missing == 4 * (2 + MAX_EMPTY_STEPS)
    with pytest.raises(UnreadableDataError, match=f"no clip could be read in {MAX_EMPTY_STEPS + 1} steps in a row"):
        report.note_readable(0.0, 4, STEPS)


def test_what_was_missing_before_a_restart_counts():
    report = EpochReport()
    report.note_readable(1.0, 4, STEPS)
    for _ in range(MAX_EMPTY_STEPS):
        report.note_readable(0.0, 4, STEPS)
    again = EpochReport.going_on(report.of_all().state_dict())
    assert (again.missing, again.empty_in_a_row) == (3 + 4 * MAX_EMPTY_STEPS, MAX_EMPTY_STEPS)
    with pytest.raises(UnreadableDataError, match="steps in a row"):
        again.note_readable(0.0, 4, STEPS)


def test_the_share_of_an_epoch():
    report = EpochReport()
    report.note_readable(2.0, 4, 0.5)
    with pytest.raises(UnreadableDataError, match="3 clips of this epoch could not be read"):
        report.note_readable(3.0, 4, 0.5)
