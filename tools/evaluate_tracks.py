"""What tracking adds: frame-mAP, video-mAP, identity switches and IDF1 with and without it, on videos whose tracks are known.

python tools/evaluate_tracks.py --weights best.pyth --videos runs/toy/data/videos --tracks runs/toy/data/annotations/toy_val_tracks.csv

Tracks: a CSV of video,second,x1,y1,x2,y2,action,person (video,second where nobody is), boxes in [0, 1] of the frame. Each
video is looked at once, and its key frames are tracked by each set of rules. Exit code 0 on success, 1 when an input is
wrong.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("scoring.evaluate_tracks", sys.argv[1:]))
