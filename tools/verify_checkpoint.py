"""Tell of each checkpoint whether it is whole and finite, and from which one a run would go on.

python tools/verify_checkpoint.py FOLDER|FILE ...
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("runs.verify_checkpoint", sys.argv[1:]))
