"""TimeLeft: how long a whole run will still take, from what its steps, evaluations and checkpoints have taken."""

from collections import deque
from statistics import median

from slowfast.utils.progress import duration

_RECENT = 20  # periods of the log: the first ones, with compilation and cold files, soon count no more


class TimeLeft:
    """Measured in this process, so a run that goes on measures anew.

    epochs:            of the whole run
    steps:             of an epoch
    eval_period, checkpoint_period: in epochs; the last epoch has both
    final_test:        a test follows, which is taken to last as long as an evaluation
    """

    def __init__(
        self, *, epochs: int, steps: int, eval_period: int, checkpoint_period: int, final_test: bool = False
    ) -> None:
        self._epochs, self._steps = epochs, steps
        self._eval_period, self._checkpoint_period, self._final_test = eval_period, checkpoint_period, final_test
        self._step_seconds: deque[float] = deque(maxlen=_RECENT)
        self._seconds: dict[str, deque[float]] = {"evaluation": deque(maxlen=3), "checkpoint": deque(maxlen=3)}

    def note_steps(self, seconds_per_step: float) -> None:
        self._step_seconds.append(seconds_per_step)

    def note(self, what: str, seconds: float) -> None:
        """what: "evaluation" or "checkpoint"; seconds: one of them took."""
        self._seconds[what].append(seconds)

    def seconds(self, done: int) -> tuple[float, bool] | None:
        """(seconds left, whether all kinds of work were measured) after `done` steps of the whole run; None before any.

        Steps count with the median of the recent ones, so that one slow moment does not move the end.
        """
        if not self._step_seconds:
            return None
        left = {"evaluation": self._ahead(done, self._eval_period) + self._final_test}
        left["checkpoint"] = self._ahead(done, self._checkpoint_period)
        total = (self._epochs * self._steps - done) * median(self._step_seconds)
        known = True
        for what, count in left.items():
            if count and self._seconds[what]:
                total += count * median(self._seconds[what])
            elif count and what == "evaluation":
                known = False
        return total, known

    def text(self, done: int) -> str:
        """ "3 h 05 min left"; "at least" before it while no evaluation was measured; "" before any step."""
        found = self.seconds(done)
        if found is None:
            return ""
        return f"{'' if found[1] else 'at least '}{duration(found[0])} left"

    def _ahead(self, done: int, period: int) -> int:
        """Epochs that are followed by what comes every `period` epochs; the one that `done` has just ended is too."""
        unfinished = range(max(1, -(-done // self._steps)), self._epochs + 1)
        return sum(epoch % period == 0 or epoch == self._epochs for epoch in unfinished)
