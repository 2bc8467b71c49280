"""List runs: which are at work, which ended and how, and their last and best numbers.

python tools/runs.py [FOLDER ...] [--metric NAME] [--json]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("runs.runs", sys.argv[1:]))
