"""What an epoch of training met, on one process or on all, and how it is told."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from slowfast.engine.record.results import log_unreadable
from slowfast.structures.clip import ClipBatch
from slowfast.utils import distributed
from slowfast.utils.logging import get_logger


@dataclass
class EpochReport:
    """What an epoch met: steps done, steps skipped for gradients that were not finite, clips that could not be read.

    notes:   sentence -> count, what the criterion had to say
    stopped: the run was asked to stop, and the epoch may not be whole
    """

    steps: int = 0
    skipped_in_a_row: int = 0
    skipped: int = 0
    unreadable: list[str] = field(default_factory=list)
    repeated_frames: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    stopped: bool = False

    def note_clips(self, batch: ClipBatch) -> None:
        self.unreadable += [clip.reason for clip in batch.unreadable]
        self.repeated_frames += sum(meta.repeated_frames for meta in batch.meta)

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
        }

    @classmethod
    def going_on(cls, state: dict[str, Any]) -> "EpochReport":
        """In a run that goes on: what all had met is the main process's now, so that it is counted once."""
        report = cls(state["steps"], state["skipped_in_a_row"], state["skipped"])
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
