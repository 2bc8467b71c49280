"""What is left of steps that were skipped: of the first few."""

from slowfast.engine.record.epoch_report import EpochReport
from slowfast.engine.record.skipped import FOLDER, MOST, leave_skipped
from slowfast.weights.checkpoint import Position


def test_the_first_few_are_kept(tmp_path):
    for step in range(MOST + 2):
        leave_skipped(tmp_path, Position(1, step), EpochReport(last_skipped=["clip"]), lambda: {"model_state": {}})
    kept = sorted(path.name for path in (tmp_path / FOLDER).iterdir())
    assert kept == [f"epoch_00001_step_{step:06d}.{kind}" for step in range(MOST) for kind in ("json", "pyth")]
