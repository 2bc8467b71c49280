"""Faults of a data set: every one that was found, sorted by kind, with file, line and reason."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from slowfast.structures.annotations.problem import Problem
from slowfast.video.source import ClipReadError

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
KEPT = 1000  # faults of a kind that are kept; all are counted
SHOWN = 5  # of a kind, in the printed text
# What reading annotations, lists and pixels raises where a file is wrong.
READ_ERRORS = (ValueError, OSError, ClipReadError)


@dataclass(frozen=True)
class Kind:
    """severity: an error stops training or makes clips unreadable; a warning is most often a mistake; a note is a fact
    worth knowing. title: what all faults of the kind have in common."""

    severity: Severity
    title: str


KINDS = {
    "missing file": Kind("error", "files that are named and not there"),
    "refused": Kind("error", "what the reader that training uses refuses"),
    "row": Kind("error", "lines that cannot be read"),
    "empty": Kind("error", "files without a row that can be read"),
    "scores": Kind("error", "detections in place of ground truth"),
    "time": Kind("error", "timestamps that are none"),
    "box outside": Kind("error", "boxes outside the frame"),
    "box inverted": Kind("error", "boxes that are inverted"),
    "no area": Kind("error", "boxes without area"),
    "unknown class": Kind("error", "class ids that the label map does not hold"),
    "evaluated class": Kind("error", "classes that are evaluated, and that the model does not have"),
    "seconds that count": Kind("error", "splits of which every key frame is outside the seconds that count"),
    "first second": Kind("error", "times that do not fit the videos"),
    "beyond the video": Kind("error", "key frames before the start or beyond the end of their video"),
    "missing video": Kind("error", "annotated videos without a file or frames"),
    "changed video": Kind("error", "prepared videos that are not as their records say"),
    "broken video": Kind("error", "videos that cannot be opened"),
    "unreadable": Kind("error", "key frames that cannot be decoded"),
    "doubled row": Kind("warning", "rows that repeat another one"),
    "sliver": Kind("warning", "boxes thinner than a hundredth of the frame"),
    "shared video": Kind("warning", "videos that are trained on and tested"),
    "crowded": Kind("warning", "key frames that show the same frame as their neighbours"),
    "mirrored class": Kind("warning", "classes that a mirrored clip exchanges, and nothing says so"),
    "doubled name": Kind("warning", "classes that have one name"),
    "class without samples": Kind("warning", "classes without a sample"),
    "ignored class": Kind("note", "rows of classes that are left out on purpose"),
    "missing video, ignored": Kind("warning", "annotated videos without a file, left out on purpose"),
    "outside the seconds": Kind("note", "key frames outside the seconds that count, which are left out"),
    "video without labels": Kind("warning", "videos in the folder that no split names"),
    "exclusion": Kind("note", "excluded key frames that no annotation names"),
    "not annotated": Kind("note", "tests without annotations"),
    "excluded": Kind("note", "key frames that are excluded"),
    "format": Kind("note", "how the files are written"),
}


@dataclass(frozen=True)
class Fault:
    """kind: of KINDS; file, line: where, "" and 0 where it is of no one place; count: of rows or key frames like it."""

    kind: str
    reason: str
    file: str = ""
    line: int = 0
    count: int = 1

    @property
    def severity(self) -> Severity:
        return KINDS[self.kind].severity

    def __str__(self) -> str:
        if not self.file:
            return self.reason
        return f"{self.file}:{self.line}: {self.reason}" if self.line else f"{self.file}: {self.reason}"


class Faults:
    """All that was found so far."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Fault]] = {}
        self._counts: dict[str, int] = {}
        self._seen: set[Fault] = set()

    def add(self, kind: str, reason: str, *, file: str = "", line: int = 0, count: int = 1) -> None:
        """Keep one; the same of the same place again is the same fault (a file that both splits name)."""
        fault = Fault(kind, reason, str(file), int(line), int(count))
        kept = self._kept.setdefault(kind, [])
        if fault in self._seen:
            return
        self._counts[kind] = self._counts.get(kind, 0) + count
        if len(kept) < KEPT:
            kept.append(fault)
            self._seen.add(fault)

    def take(self, problems: Iterable[Problem], *, default: str = "row") -> None:
        """What a reader collected."""
        for problem in problems:
            kind = problem.kind if problem.kind in KINDS else default
            self.add(kind, problem.reason, file=problem.file, line=problem.line)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those that were found, errors first, in the order of KINDS."""
        found = [kind for kind in KINDS if self._counts.get(kind)]
        return tuple(sorted(found, key=lambda kind: SEVERITIES.index(KINDS[kind].severity)))

    def of(self, kind: str) -> tuple[Fault, ...]:
        """The faults that were kept, at most KEPT."""
        return tuple(self._kept.get(kind, ()))

    def count(self, kind: str) -> int:
        return self._counts.get(kind, 0)

    def total(self, severity: Severity) -> int:
        return sum(self.count(kind) for kind in self.kinds if KINDS[kind].severity == severity)

    @property
    def any_error(self) -> bool:
        """Is there one that training would stumble on?"""
        return self.total("error") > 0

    def text(self) -> str:
        """For the terminal: a heading a kind, its first faults below."""
        lines = []
        for kind in self.kinds:
            lines.append(f"{KINDS[kind].severity}: {KINDS[kind].title} ({self.count(kind)})")
            kept = self.of(kind)
            lines += [f"  {fault}" for fault in kept[:SHOWN]]
            if len(kept) > SHOWN:
                lines.append(f"  and {len(kept) - SHOWN}{' or more' if len(kept) == KEPT else ''} more")
        return "\n".join(lines)

    def summary(self) -> str:
        """One line."""
        counts = [f"{self.total(s)} {s}{'s' if self.total(s) != 1 else ''}" for s in SEVERITIES if self.total(s)]
        return ", ".join(counts) if counts else "no fault found"

    def report(self) -> list[dict]:
        """Ready for JSON."""
        return [
            {
                "kind": kind,
                "severity": KINDS[kind].severity,
                "title": KINDS[kind].title,
                "count": self.count(kind),
                "faults": [
                    {"file": f.file, "line": f.line, "reason": f.reason, "count": f.count} for f in self.of(kind)
                ],
            }
            for kind in self.kinds
        ]
