"""When a run saves within an epoch."""

import pytest

from slowfast.engine.device.requests import Requests
from slowfast.engine.record.epoch_report import EpochReport
from slowfast.engine.saving import Saving
from slowfast.utils.meters import LossMeter


@pytest.mark.parametrize(
    ("wishes", "every", "done", "saves"),
    [
        ([0.0, 0.0], 0, 4, False),
        ([0.5, 0.0], 0, 4, True),  # one of two processes is asked to stop
        ([0.0, 0.5], 0, 4, True),  # the main process's time to save has come
        ([0.0, 0.0], 4, 8, True),
        ([0.0, 0.0], 4, 9, False),
        ([0.5, 0.5], 5, 10, False),  # the epoch is over, and saved whole
    ],
)
def test_when(wishes, every, done, saves):
    at = []
    saving = Saving(Requests(), every_steps=every, save=lambda done, report, meter: at.append(done))
    stops = saving.after_step(done, 10, wishes, EpochReport(), LossMeter())
    assert (at, stops) == ([done] if saves else [], wishes[0] > 0)
