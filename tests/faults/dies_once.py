"""run_net.py in which process 1 is killed (SIGKILL) after its third step, once: `dies_once.py MARKER ARGUMENTS`.

By then the checkpoint after the first step is there: the save after the second has waited for it.
MARKER: a file that is made then, so that the next start goes on
"""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from slowfast.commands.bmvit import run_command
from slowfast.engine.record.step_log import StepLog

if __name__ == "__main__":
    marker, real, steps = Path(sys.argv[1]), StepLog.__call__, [0]

    def counted(self: StepLog, *arguments: object) -> None:
        real(self, *arguments)
        steps[0] += 1
        if os.environ["RANK"] == "1" and steps[0] == 3 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    StepLog.__call__ = counted
    sys.exit(run_command("runs.run_net", sys.argv[2:]))
