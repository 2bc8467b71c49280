"""Make the toy AVA set: python tools/make_toy_ava.py --out DIR [--videos N] [--seconds S] [--seed K] [--workers W]"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("data.make_toy_ava", sys.argv[1:]))
