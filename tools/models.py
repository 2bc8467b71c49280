"""Lists the networks that can be made by name, or tells what is known of one.

python tools/models.py [NAME ...] [--json FILE]

As a library: slowfast.create_model("mvitv2_s"), slowfast.list_models("mvitv2_*").
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("networks.models", sys.argv[1:]))
