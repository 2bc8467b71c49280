"""Where a result goes: the log, metrics.json and, in training, the best checkpoint. Written on the main process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import simplejson

from slowfast.engine.record.run_log import RunLog
from slowfast.structures.outputs.result import Result
from slowfast.utils.files import write_text
from slowfast.utils.logging import get_logger
from slowfast.utils.processes.distributed import is_main

SHOWN_REASONS = 10


@dataclass(frozen=True)
class Tested:
    """What a test found, the same on every process.

    clips:      how many went through the model on all processes
    seconds:    of the slowest process
    unreadable: why clips could not be read, one line each
    """

    result: Result
    clips: int
    seconds: float
    unreadable: list[str]
    repeated_frames: int = 0

    @property
    def clips_per_second(self) -> float:
        return self.clips / max(self.seconds, 1e-9)

    def metrics(self) -> dict[str, Any]:
        """Everything for metrics.json: the numbers, their protocol, and what they were measured on."""
        return {
            **self.result.report(),
            "clips": self.clips,
            "clips_per_second": self.clips / self.seconds if self.seconds else None,
            "unreadable_clips": self.unreadable,
            "repeated_frames": self.repeated_frames,
        }


class Best:
    """The best number so far, and how the weights that reached it are kept.

    metric: its name; since: evaluations after the one that gave it; keep: called on all processes together
    """

    def __init__(self, value: float, keep: Callable[[], None], *, metric: str = "", since: int = 0) -> None:
        self.value, self.metric, self.since, self._keep = value, metric, since, keep

    def offer(self, name: str, value: float) -> None:
        """A number of another name than the best so far has nothing to be compared with, and is the best."""
        if self.metric and name != self.metric:
            get_logger().info(
                "the best is chosen by %s from now on, it was %s; what was best counts no more", name, self.metric
            )
            self.value = float("-inf")
        self.metric = name
        self.since += 1
        if value > self.value:
            self.value, self.since = value, 0
            self._keep()


def chosen_metric(result: Result, name: str) -> tuple[str, float]:
    """The number of a result by which it is compared: the one called `name`, its headline for "".

    Raises ValueError that lists the names there are; a number that there is nothing to measure for is minus infinity.
    """
    if not name:
        return result.headline
    summary = result.summary()
    if name not in summary:
        raise ValueError(f"TRAIN.BEST_METRIC is {name!r}, and an evaluation has {', '.join(list(summary)[:30])}")
    value = summary[name]
    return name, float("-inf") if value is None else float(value)


def record(
    tested: Tested,
    log: RunLog,
    *,
    kind: str,
    epoch: int | None = None,
    best: Best | None = None,
    best_metric: str = "",
    metrics: dict[str, Any] | None = None,
    metrics_file: Path | None = None,
) -> None:
    """Write a result everywhere it belongs: a record of `kind` in the log, the best checkpoint, metrics.json.

    epoch:   how many have been trained; None after training
    best_metric: the number that is offered to `best`, see `chosen_metric`
    metrics: what metrics.json holds; goes into `metrics_file`
    """
    values: dict[str, Any] = {} if epoch is None else {"at": epoch, "epoch": epoch}
    log.write(kind, **values | tested.result.summary())
    if best is not None:
        best.offer(*chosen_metric(tested.result, best_metric))
    if metrics_file is not None and is_main():
        write_text(simplejson.dumps(metrics, indent=2, ignore_nan=True) + "\n", metrics_file)


def brief(result: Result) -> str:
    """ "mAP 0.4700, person_AP 0.9000": the numbers of a result without those of its parts."""
    whole = ((name, value) for name, value in result.summary().items() if "/" not in name)
    return ", ".join(f"{name} {'n/a' if value is None else format(value, '.4f')}" for name, value in whole)


def log_unreadable(unreadable: list[str], repeated_frames: int) -> None:
    """Name the clips that could not be read, ten at most, and count the frames repeated at the ends of videos."""
    log = get_logger()
    if unreadable:
        log.warning(
            "%d clips could not be read and were left out (DATA.STRICT True makes this fatal):", len(unreadable)
        )
        for reason in unreadable[:SHOWN_REASONS]:
            log.warning("  - %s", reason)
        if len(unreadable) > SHOWN_REASONS:
            log.warning("  - and %d more", len(unreadable) - SHOWN_REASONS)
    if repeated_frames:
        log.info("%d frames beyond the ends of their videos repeat the first or last frame", repeated_frames)
