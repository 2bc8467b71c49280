"""When a run saves where it is within an epoch, and which evaluation it has done."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from slowfast.engine.device.requests import Requests
from slowfast.engine.record.epoch_report import EpochReport
from slowfast.structures.clip import Meta
from slowfast.utils.files import write_text
from slowfast.utils.meters import LossMeter
from slowfast.utils.processes import distributed

Save = Callable[[int, EpochReport, LossMeter], None]
Skip = Callable[[int, EpochReport], None]


class Saving:
    """Saves every so many steps or minutes, and when the run is asked to stop; the train loop asks at each step.

    requests:    of this process
    every_steps: steps between two checkpoints within an epoch; 0 for none
    skip:        called on all processes together after a step that was skipped, with its number and its clips on all
    save:        called on all processes together, with the number of steps done in the epoch, what it has met, and the
                 losses that were not logged yet
    """

    def __init__(
        self,
        requests: Requests,
        *,
        every_steps: int = 0,
        save: Save = lambda *where: None,
        skip: Skip = lambda *what: None,
    ) -> None:
        self._requests, self._every_steps, self._save, self._skip = requests, every_steps, save, skip

    def wishes(self) -> list[float]:
        """[stop, save] of this process, each 0 or 1: summed over processes with the counts of a step, they agree.

        The time that has passed is the main process's alone.
        """
        return [float(bool(self._requests.stop)), float(distributed.is_main() and self._requests.save)]

    def skipped(self, step: int, metas: Sequence[Meta], report: EpochReport) -> None:
        """A step was skipped, on all processes: its gradient was not finite. metas: of its clips on this one."""
        own = [str(meta) for meta in metas]
        report.last_skipped = [name for names in distributed.gather_objects(own) for name in names]
        self._skip(step, report)

    def is_due(self, done: int, steps: int, wishes: Sequence[float]) -> bool:
        """Whether `after_step` will save. done: steps of the epoch's `steps`; wishes: of all processes."""
        by_number = bool(self._every_steps) and done % self._every_steps == 0
        return done < steps and (by_number or any(wish > 0 for wish in wishes))  # after the last one it is saved whole

    def after_step(self, done: int, steps: int, wishes: Sequence[float], report: EpochReport, meter: LossMeter) -> bool:
        """Save where that is due; whether to stop."""
        if self.is_due(done, steps, wishes):
            self._save(done, report, meter)
            self._requests.saved()
        return wishes[0] > 0


class Evaluated(NamedTuple):
    """What a run knows after an evaluation: the epoch, the highest number so far, its name, and how many evaluations there
    were since it."""

    epoch: int
    best: float
    metric: str = ""
    since_best: int = 0


def note_evaluated(file: Path, evaluated: Evaluated) -> None:
    """Remember an evaluation: the checkpoint of its epoch was written before it, so that nothing is lost in between."""
    if distributed.is_main():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(json.dumps(evaluated._asdict()) + "\n", file)


def read_evaluated(file: Path) -> Evaluated | None:
    """As noted; None where nothing was, or what is there cannot be read: then the run evaluates again."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        metric, since = str(content.get("metric", "")), int(content.get("since_best", 0))  # younger than the others
        return Evaluated(int(content["epoch"]), float(content["best"]), metric, since)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
