"""Score detections on the frames of UCF101-24 or JHMDB-21: frame-mAP and video-mAP, in the conventions of the field.

python tools/evaluate_tubes.py --groundtruth JHMDB-GT.pkl.gz --detections detections.csv --json result.json

Detections: a CSV of video,frame,x1,y1,x2,y2,class,score with frames and class ids from 1 and boxes in [0, 1] of the
frame, as a test leaves it in OUTPUT_DIR. Exit code 0 on success, 2 when an input is wrong (the message says which).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("scoring.evaluate_tubes", sys.argv[1:]))
