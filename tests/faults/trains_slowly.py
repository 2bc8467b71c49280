"""run_net.py that takes SECONDS longer for each training step, so that something can happen meanwhile: `trains_slowly.py SECONDS
ARGUMENTS`."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from slowfast.commands.bmvit import run_command
from slowfast.engine.record.step_log import StepLog

if __name__ == "__main__":
    pause, real = float(sys.argv[1]), StepLog.__call__

    def slowly(self: StepLog, *arguments: object) -> None:
        real(self, *arguments)
        time.sleep(pause)

    StepLog.__call__ = slowly
    sys.exit(run_command("runs.run_net", sys.argv[2:]))
