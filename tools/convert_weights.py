"""Turns a checkpoint of any project we know into this project's format, fitted to the model of a config.

python tools/convert_weights.py --cfg FILE --weights IN --out OUT.pyth [--opts] [KEY VALUE ...]

OUT may end in .pyth (this project's checkpoint) or .safetensors. The table says what became of every parameter.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("networks.convert_weights", sys.argv[1:]))
