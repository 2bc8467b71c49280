"""Check a data set before training: every fault with file, line and reason; with detections, why the mAP is what it is.

python tools/validate_data.py --cfg configs/AVA/BMViT_S.yaml --html data.html

Exit code 1 where training would stumble over what was found, 2 where an option is wrong, else 0.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("data.validate_data", sys.argv[1:]))
