"""How a run ended, in a file of its folder: what `tools/runs.py` tells of runs that are not at work."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slowfast.engine.device.requests import StoppedError
from slowfast.utils.files import write_text
from slowfast.utils.logging import get_logger
from slowfast.utils.processes import distributed

FILE = "state.json"


@contextmanager
def noted(output: Path) -> Iterator[None]:
    """Write into `output` that a run has begun and, on leaving, how it ended: "finished", "stopped" or "failed".

    A run that is killed leaves "running", and a lock that nobody holds. A disk that is full does not end a run.
    """
    _write(output, "running")
    try:
        yield
    except (StoppedError, KeyboardInterrupt) as error:
        _write(output, "stopped", str(error) or "Ctrl-C")
        raise
    except BaseException as error:
        _write(output, "failed", f"{type(error).__name__}: {error}")
        raise
    _write(output, "finished")


def _write(output: Path, state: str, reason: str = "") -> None:
    if not distributed.is_main():
        return
    told = {"state": state, "time": time.strftime("%F %T"), "reason": reason[:500]}
    try:
        write_text(json.dumps({name: value for name, value in told.items() if value}) + "\n", output / FILE)
    except OSError as error:
        get_logger().warning("how the run ended cannot be noted (%s)", error)
