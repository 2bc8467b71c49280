"""What an epoch of training met, on one process or on all, and how it is told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from slowfast.engine.record.results import SHOWN_REASONS, log_unreadable
from slowfast.structures.clip import ClipBatch
from slowfast.utils.logging import get_logger
from slowfast.utils.processes import distributed
from slowfast.video.why_unreadable import likeliest_cause

MAX_EMPTY_STEPS = 20


class UnreadableDataError(ValueError):
    """More of the data cannot be read than DATA.MAX_UNREADABLE allows."""


def cause_of(reasons: Sequence[str]) -> str:
    cause = likeliest_cause(reasons)
    return f" The {cause}" if cause else ""


@dataclass
class EpochReport:
    """What an epoch met: steps done, steps skipped for gradients that were not finite, clips that could not be read.

    notes:   sentence -> count, what the criterion had to say
    stopped: the run was asked to stop, and the epoch may not be whole
    missing: clips of all processes that could not be read; empty_in_a_row: steps, up to now, without any that could
    not_finite: what the criterion said of losses that were not finite, on this process
    last_skipped: the clips of the last step that was skipped, on all processes
    """

    steps: int = 0
    skipped_in_a_row: int = 0
    skipped: int = 0
    unreadable: list[str] = field(default_factory=list)
    repeated_frames: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    stopped: bool = False
    missing: float = 0.0
    empty_in_a_row: int = 0
    not_finite: list[str] = field(default_factory=list)
    last_skipped: list[str] = field(default_factory=list)

    def note_clips(self, batch: ClipBatch) -> None:
        self.unreadable += [clip.reason for clip in batch.unreadable]
        self.repeated_frames += sum(meta.repeated_frames for meta in batch.meta)

    def note_readable(self, clips: float, of: int, steps: float) -> None:
        """clips: that could be read of a step's `of`, on all processes; steps: as many may be lost in an epoch.

        Raises UnreadableDataError on all of them, since they count the same: the data is gone, and what trains on nothing
        must not push out the checkpoints of what trained on something.
        """
        if not of:
            return
        self.missing += of - clips
        self.empty_in_a_row = 0 if clips else self.empty_in_a_row + 1
        if self.missing > steps * of or self.empty_in_a_row > MAX_EMPTY_STEPS:
            what = f"{self.missing:g} clips of this epoch could not be read"
            if self.empty_in_a_row > MAX_EMPTY_STEPS:
                what = f"no clip could be read in {self.empty_in_a_row} steps in a row"
            reasons = "".join(f"\n  - {reason}" for reason in self.unreadable[:SHOWN_REASONS])
            raise UnreadableDataError(
                f"{what}, so the run ends before it learns from too little (DATA.MAX_UNREADABLE); its checkpoints are "
                f"untouched. Are the videos where they were?{cause_of(self.unreadable)}{reasons}"
            )

    def of_all(self) -> "EpochReport":
        """The same on every process: what all of them met. Steps are those of each, since all take part in each."""
        shares = distributed.gather_objects((self.unreadable, self.repeated_frames, self.notes))
        return EpochReport(
            self.steps,
            self.skipped_in_a_row,
            self.skipped,
            sorted(reason for reasons, _, _ in shares for reason in reasons),
            sum(repeated for _, repeated, _ in shares),
            sum((notes for _, _, notes in shares), start=Counter()),
            self.stopped,
            self.missing,
            self.empty_in_a_row,
        )

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint within the epoch; of `of_all`."""
        return {
            "steps": self.steps,
            "skipped_in_a_row": self.skipped_in_a_row,
            "skipped": self.skipped,
            "unreadable": list(self.unreadable),
            "repeated_frames": self.repeated_frames,
            "notes": dict(self.notes),
            "missing": self.missing,
            "empty_in_a_row": self.empty_in_a_row,
        }

    @classmethod
    def going_on(cls, state: dict[str, Any]) -> "EpochReport":
        """In a run that goes on: what all had met is the main process's now, so that it is counted once."""
        report = cls(state["steps"], state["skipped_in_a_row"], state["skipped"])
        report.missing, report.empty_in_a_row = state["missing"], state["empty_in_a_row"]
        if distributed.is_main():
            report.unreadable, report.repeated_frames = list(state["unreadable"]), state["repeated_frames"]
            report.notes = Counter(state["notes"])
        return report

    def log(self) -> None:
        """Say what was met; of `of_all`."""
        log_unreadable(self.unreadable, self.repeated_frames)
        if self.skipped:
            get_logger().warning("%d of %d steps were skipped: their gradient was not finite", self.skipped, self.steps)
        for sentence, count in self.notes.items():
            get_logger().warning("%d %s", count, sentence)
