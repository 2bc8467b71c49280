"""Tell who does what in videos of your own, with nothing but a checkpoint: no annotations, no person detector.

python tools/predict.py --weights best.pyth video.mp4
python tools/predict.py --weights best.pyth videos/ --out results --every 0.5 --track

Of each video NAME it leaves NAME.jsonl (a line per key frame, as it goes), NAME.csv (AVA's format), NAME.mp4 (drawn) and
NAME.html (a player). Exit code 0 on success, 1 when an input is wrong or a video could not be read (the others are
done), 130 after Ctrl-C (finished files and lines stay).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("use.predict", sys.argv[1:]))
