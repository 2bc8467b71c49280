"""What the folders of runs tell of them: state, how far they are, last and best numbers."""

import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from slowfast.engine.record import lock, state
from slowfast.engine.record.files import CONFIG
from slowfast.utils.logging import read_json_log

LOG = "log.jsonl"


@dataclass(frozen=True)
class ListedRun:
    """One run.

    state:  "running", "finished", "stopped", "failed" or "killed"; "?" of a version that noted none
    epoch:  done, in part or whole; epochs: of the whole run, None where its configuration does not tell
    loss:   the last that was logged; metric: its name, with the last and the best value, None where there is none
    best_epoch: when the best was reached
    reason: why it stopped or failed; time: of its last sign
    """

    folder: Path
    state: str
    epoch: int | None
    epochs: int | None
    loss: float | None
    metric: str
    last: float | None
    best: float | None
    best_epoch: int | None
    reason: str
    time: str

    def row(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.__dict__, "folder": str(self.folder)}


def runs_below(folder: Path) -> Iterator[Path]:
    """Folders of runs at and below `folder`, by name: those with a log or a lock in them."""
    found = {path.parent for name in (LOG, lock.FILE, state.FILE) for path in folder.rglob(name)}
    yield from sorted(found)


def read_run(folder: Path, *, metric: str = "") -> ListedRun:
    """metric: a name in the records of evaluations; "" for the one that the run is known by. Raises OSError."""
    records = read_json_log(folder / LOG)
    trained = [record for record in records if record.get("kind") == "train"]
    tested = [record for record in records if record.get("kind") in ("eval", "test")]
    cfg = _config(folder)
    metric = metric or cfg.get("TRAIN", {}).get("BEST_METRIC") or _headline(tested)
    values = [(_number(record.get(metric)), record.get("epoch")) for record in tested]
    known = [(value, epoch) for value, epoch in values if value is not None]
    best = max(known, key=lambda pair: pair[0], default=(None, None))
    told, reason, when = _ended(folder)
    return ListedRun(
        folder,
        told,
        max(
            (record.get("epoch", 0) for record in trained + tested if isinstance(record.get("epoch"), int)),
            default=None,
        ),
        cfg.get("SOLVER", {}).get("MAX_EPOCH"),
        _number(trained[-1].get("loss")) if trained else None,
        metric,
        known[-1][0] if known else None,
        best[0],
        best[1],
        reason,
        when,
    )


def _ended(folder: Path) -> tuple[str, str, str]:
    """(state, reason, time)."""
    if holder := _held(folder / lock.FILE):
        return "running", holder if holder != "held" else "", ""
    try:
        told = json.loads((folder / state.FILE).read_text(encoding="utf-8"))
        name, reason, when = (str(told.get(key, "")) for key in ("state", "reason", "time"))
    except (OSError, ValueError, AttributeError):
        return "?", "", ""
    return ("killed" if name == "running" else name), reason, when


def _held(path: Path) -> str:
    """Who holds a lock, "held" where it does not tell; "" where nobody does. The lock is let go at once."""
    if not path.is_file():
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return lock.who(file.read()) or "held"
        except OSError:  # a file system without locks: the file of the state tells what it can
            return ""
    return ""


def _config(folder: Path) -> dict[str, Any]:
    """What the run's config.yaml tells; empty where it cannot be read."""
    try:
        found = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}


def _headline(tested: list[dict[str, Any]]) -> str:
    """The first number of an evaluation that is not its epoch: every kind of result begins with what it is known by."""
    for record in tested:
        for name, value in record.items():
            if name not in ("kind", "time", "epoch", "at") and (value is None or _number(value) is not None):
                return name
    return ""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
