"""What a training step leaves that was skipped because its gradient was not finite."""

import json
from collections.abc import Callable
from pathlib import Path

from slowfast.engine.record.epoch_report import EpochReport
from slowfast.utils.files import write_text
from slowfast.utils.logging import get_logger
from slowfast.utils.processes import distributed
from slowfast.weights.checkpoint import Position, write_atomically

FOLDER, MOST = "skipped", 3


def leave_skipped(output: Path, at: Position, report: EpochReport, content: Callable[[], dict]) -> None:
    """Write `output/skipped/epoch_00001_step_000007.json` with the clips, and beside it the weights, of the first few.

    A skipped step moves no weights, so they are those that the step was computed with. at: epochs done, and steps of the
    next one before this step. A disk that is full does not end the run for it. On all processes together: `content` is
    asked on all of them, and the main one writes.
    """
    folder = output / FOLDER
    stem = f"epoch_{at.epoch:05d}_step_{at.step:06d}"
    if distributed.gather_objects(len(list(folder.glob("*.json"))) >= MOST)[0]:
        return
    weights = content()
    if not distributed.is_main():
        return
    told = {"epoch": at.epoch, "step": at.step, "clips": report.last_skipped, "reasons": report.not_finite[-1:]}
    try:
        folder.mkdir(exist_ok=True)
        write_atomically(weights, folder / f"{stem}.pyth")
        write_text(json.dumps(told, indent=1) + "\n", folder / f"{stem}.json")
    except OSError as error:
        get_logger().warning(
            "what step %d of epoch %d needs to be run again was not kept: %s", at.step + 1, at.epoch + 1, error
        )
        return
    get_logger().warning(
        "step %d of epoch %d was skipped: its gradient is not finite; tools/replay_step.py %s runs it again",
        at.step + 1,
        at.epoch + 1,
        folder / f"{stem}.json",
    )
