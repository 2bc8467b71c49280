"""slowfast.utils.progress: a line a minute where no bar is drawn."""

import logging

import pytest

from slowfast.utils import progress as module
from slowfast.utils.progress import duration, progress


@pytest.fixture
def lines(monkeypatch, caplog):
    """(items, seconds of each) -> the lines of a loop over them in a pipe."""
    monkeypatch.setattr(module, "get_logger", lambda: logging.getLogger("progress"))
    caplog.set_level(logging.INFO, "progress")

    def run(items, seconds, *, by_hand=False, lines=True):
        now = [0.0]
        monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
        if by_hand:
            with progress(what="testing", total=len(items), unit="batch", lines=lines) as bar:
                for _ in items:
                    now[0] += seconds
                    bar.update()
            return caplog.messages
        seen = []
        for item in progress(items, what="testing", unit="batch"):
            seen.append(item)
            now[0] += seconds
        assert seen == list(range(10))
        return caplog.messages

    return run


def test_a_long_loop_says_how_far_it_is(lines):
    assert lines(range(10), 20.0) == [
        "testing: 3 of 10, 2 min left (batch)",
        "testing: 6 of 10, 1 min left (batch)",
        "testing: 9 of 10, 20 s left (batch)",
    ]


def test_a_job_that_moves_it_by_hand_is_told_of_alike(lines):
    assert lines(range(10), 20.0, by_hand=True)[1:] == [
        "testing: 6 of 10, 1 min left (batch)",
        "testing: 9 of 10, 20 s left (batch)",
    ]


def test_who_has_lines_of_his_own_gets_none(lines):
    assert lines(range(10), 20.0, by_hand=True, lines=False) == []


def test_without_a_length_there_is_no_end(lines):
    assert lines(iter(range(10)), 45.0)[0] == "testing: 2 (batch)"


def test_a_short_loop_says_nothing(lines):
    assert lines(range(10), 5.0) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h 00 min")),
        *((11_100, "3 h 05 min"), (86_399, "23 h 59 min"), (183_600, "2 d 03 h")),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
