"""Make the toy Kinetics set: python tools/make_toy_kinetics.py --out DIR [--videos N] [--seconds S] [--seed K]"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("data.make_toy_kinetics", sys.argv[1:]))
