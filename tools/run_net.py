"""Train and test a model: `python tools/run_net.py --cfg configs/AVA/BMViT_S.yaml [KEY VALUE ...]` (also under torchrun)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("runs.run_net", sys.argv[1:]))
