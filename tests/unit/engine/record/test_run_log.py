"""What TensorBoard had of steps that are done again is taken out."""

import pytest

from slowfast.engine.record import run_log
from slowfast.engine.record.run_log import Reached, RunLog


@pytest.mark.parametrize(("reached", "purged"), [(None, None), (Reached(0, 0), None), (Reached(7, 1), 8)])
def test_tensorboard_begins_after_the_step_that_was_reached(monkeypatch, tmp_path, reached, purged):
    asked = []
    monkeypatch.setattr(run_log, "TensorBoardLog", lambda folder, *, purge_step: asked.append((folder, purge_step)))
    RunLog(tmp_path, tensorboard=True, reached=reached)
    assert asked == [(tmp_path / "tensorboard", purged)]
