"""Score a detections CSV against an AVA ground-truth CSV: frame-mAP, per class, with the protocol beside the number.

python tools/evaluate_ava.py --groundtruth GT.csv --detections DET.csv --labelmap LABELS.pbtxt --exclusions EXCLUDED.csv

Exit code 0 on success, 2 when an input is wrong (the message says which and where).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("scoring.evaluate_ava", sys.argv[1:]))
