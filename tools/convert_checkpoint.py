"""Turn a checkpoint in parts into one file, or one file into parts, with all that a run needs to go on.

python tools/convert_checkpoint.py IN OUT
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("runs.convert_checkpoint", sys.argv[1:]))
