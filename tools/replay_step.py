"""Run a training step again that was skipped because its gradient was not finite, and tell where it stops being finite.

python tools/replay_step.py OUTPUT_DIR/skipped/FILE.json [KEY VALUE ...]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("runs.replay_step", sys.argv[1:]))
