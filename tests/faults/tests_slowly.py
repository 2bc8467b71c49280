"""run_net.py whose test takes half a minute a batch: `tests_slowly.py MARKER ARGUMENTS`.

MARKER: beginning of the names of files that the processes make when they come to the first batch
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from slowfast.commands.bmvit import run_command
from slowfast.engine.device.inputs import Inputs

if __name__ == "__main__":
    real = Inputs.prepare

    def slowly(self: Inputs, batch: Any) -> Any:
        Path(sys.argv[1] + os.environ["RANK"]).touch()
        time.sleep(30)
        return real(self, batch)

    Inputs.prepare = slowly
    sys.exit(run_command("runs.run_net", sys.argv[2:]))
