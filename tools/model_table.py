"""Prints what the configured models cost, beside the published figures.

python tools/model_table.py [CONFIG.yaml ...] [--markdown] [--json FILE]

Without a file: all of configs/. Everything is counted on the meta device, so no weight is made and no GPU is needed.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("networks.model_table", sys.argv[1:]))
