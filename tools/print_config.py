"""Prints a resolved config: every value, where it came from, and with --docs what it means.

python tools/print_config.py --cfg FILE [--docs] [--json FILE] [--opts] [KEY VALUE ...]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("runs.print_config", sys.argv[1:]))
