"""What a run says: lines on the console of the main process, and one JSON object a line in `log.jsonl`."""

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import simplejson

from slowfast.utils.files import write_text
from slowfast.utils.processes.distributed import is_main

LOGGER_NAME = "slowfast"


def setup_logging(output_dir: str | Path | None = None) -> None:
    """Print the project's messages, on the main process only; with `output_dir` also to `stdout.log` there."""
    logger = logging.getLogger(LOGGER_NAME)
    logger.setLevel(logging.INFO if is_main() else logging.ERROR)
    logger.propagate = False
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    if output_dir is not None and is_main():
        handlers.append(logging.FileHandler(Path(output_dir) / "stdout.log", encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("[%(asctime)s] %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)


def get_logger() -> logging.Logger:
    return logging.getLogger(LOGGER_NAME)


class JsonLog:
    """Appends records to a JSON-lines file, on the main process only. A NaN is written as null."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def write(self, kind: str, **values: Any) -> None:
        """Raises OSError. Half a line that an earlier one left (a full disk, a kill) is cut off first."""
        if is_main():
            line = simplejson.dumps({"kind": kind, "time": round(time.time(), 3), **values}, ignore_nan=True)
            with self.path.open("ab+") as file:
                end = file.seek(0, 2)
                if end:
                    file.seek(end - 1)
                    if file.read(1) != b"\n":
                        file.truncate(_end_of_last_line(self.path))
                file.write(line.encode("utf-8") + b"\n")

    def keep(self, wanted: Callable[[dict[str, Any]], bool]) -> int:
        """Take out records that are not wanted, and half lines; how many went. Raises OSError."""
        records = read_json_log(self.path)
        kept = [record for record in records if wanted(record)]
        lines = self.path.read_bytes().count(b"\n") if self.path.is_file() else 0
        if len(kept) != len(records) or lines != len(records):
            write_text("".join(simplejson.dumps(record, ignore_nan=True) + "\n" for record in kept), self.path)
        return len(records) - len(kept)


def read_json_log(path: str | Path) -> list[dict[str, Any]]:
    """The records of a log; none where there is no file. A line that is no record, left by a full disk, is passed over."""
    path, records = Path(path), []
    if not path.is_file():
        return []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = simplejson.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def _end_of_last_line(path: Path) -> int:
    return path.read_bytes().rfind(b"\n") + 1
