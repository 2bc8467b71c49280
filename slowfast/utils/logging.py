"""What a run says: lines on the console of the main process, and one JSON object a line in `log.jsonl`."""

import logging
import sys
import time
from pathlib import Path
from typing import Any

import simplejson

from slowfast.utils.distributed import is_main

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
        if is_main():
            line = simplejson.dumps({"kind": kind, "time": round(time.time(), 3), **values}, ignore_nan=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
