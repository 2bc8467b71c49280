"""What a step is told, and what it found: kept in its JSON file from the first row on, so that a killed step loses none."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.rows import Row

from slowfast.utils.files import write_text


@dataclass(frozen=True)
class Options:
    """device: "cuda" or "cpu"; tiny: the smallest sizes; folder: for what a step writes; data: JHMDB-21, or None."""

    device: str
    tiny: bool
    folder: Path
    data: Path | None = None


class Report:
    """What one step found. It passed when its function came to an end and noted no fault.

    rows:   of the table
    values: numbers by name that the table has no room for
    faults: what is wrong, in words
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.rows: list[Row] = []
        self.values: dict[str, Any] = {}
        self.faults: list[str] = []
        self.ended = False

    def row(self, *rows: Row) -> None:
        for row in rows:
            print(f"{row.what}: {', '.join(filter(None, (row.ours, row.against, row.ratio)))}", flush=True)
        self.rows += rows
        self.save()

    def fault(self, text: str) -> None:
        print(f"FAULT: {text}", flush=True)
        self.faults.append(text)
        self.save()

    def value(self, name: str, value: Any) -> None:
        self.values[name] = value
        self.save()

    def end(self) -> None:
        self.ended = True
        self.save()

    def save(self) -> None:
        if self.path is None:
            return
        found = {"rows": [asdict(row) for row in self.rows], "values": self.values, "faults": self.faults}
        write_text(json.dumps(found | {"ended": self.ended}, indent=1) + "\n", self.path)
