"""`make demo`: make toy AVA, train a small BMViT on it on the CPU, test it, and show what it learned in `runs/toy/`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("runs.demo", sys.argv[1:]))
