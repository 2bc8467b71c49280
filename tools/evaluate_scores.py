"""Recompute accuracies, or the mAP of many labels, from the scores that a classification test has dumped.

python tools/evaluate_scores.py scores.npz --json result.json

Exit code 0 on success, 2 when an input is wrong (the message says which and what).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("scoring.evaluate_scores", sys.argv[1:]))
