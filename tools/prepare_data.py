"""Prepare movies for training: indexed as they are, re-encoded small with a short GOP, or as JPEG frames.

python tools/prepare_data.py movies --out data/ava/videos --window 900 1800

Exit code 1 where a movie failed, or is missing; what could be prepared is.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("data.prepare_data", sys.argv[1:]))
